"""Images: list, one, upload, delete."""

from collections.abc import Callable, Mapping
from typing import Any

from aiohttp import web

from appliance.catalogue import DISKS, Image
from appliance.delivery import DELIVERIES, obstacle
from appliance.errors import ApplianceError, Conflict, Invalid
from appliance.intake import ImageWish
from appliance.machine import check_name
from appliance.reconcile.image_consequences import deletion
from appliance.store import catalogue
from appliance.web.api.uploads import INTAKE
from appliance.web.console.arriving import arriving, stopped
from appliance.web.console.confirm import confirm_page, confirmed
from appliance.web.console.listing import listed, parse_query
from appliance.web.console.page import render, see_other, who
from appliance.web.console.uploads import CHUNK, Upload, receive, require_free
from appliance.web.forms import chunks, fields, text
from appliance.web.keys import SERVICES
from appliance.web.problem import status_of

COLUMNS: Mapping[str, Callable[[Image], Any]] = {
    "name": lambda image: image.name,
    "size": lambda image: image.size,
    "stored": lambda image: image.stored_size,
    "created": lambda image: -image.created,
}


async def index(request: web.Request) -> web.Response:
    """GET /images"""
    store = request.app[SERVICES].store
    query = parse_query("/images", request.query, ("q",), tuple(COLUMNS))
    words = query.filters.get("q", "").lower().split()
    everything = await store.read(catalogue.images)
    found = listed(everything, query, lambda image: all(word in image.name for word in words), COLUMNS)
    return render(
        request,
        "images.html",
        listed=found,
        users=await _users(request),
        lacks=request.app[SERVICES].imports.lacks,
        arrivals=await arriving(request, "image"),
    )


async def _users(request: web.Request) -> dict[int, list[str]]:
    """Names of the deployments of each image, by its id."""
    return await request.app[SERVICES].store.read(catalogue.users_of_images)


async def _image(request: web.Request) -> Image:
    key = request.match_info["key"]
    return await request.app[SERVICES].store.read(lambda db: catalogue.image(db, key))


async def show(request: web.Request) -> web.Response:
    """GET /images/{key}"""
    return await _page(request, await _image(request))


async def extract_kernel(request: web.Request) -> web.Response:
    """POST /images/{key}/kernels with the ``version`` of the kernel that is to be taken out, empty for the newest."""
    image, version = await _image(request), text(await fields(request), "version").strip()
    try:
        task = await request.app[INTAKE].kernels.extract(str(image.id), version, "", who(request))
    except (Invalid, Conflict) as error:
        return await _page(request, image, error)
    return see_other(f"/tasks/{task.id}")


async def _page(request: web.Request, image: Image, error: ApplianceError | None = None) -> web.Response:
    kernels = await request.app[SERVICES].store.read(catalogue.kernels)
    users = (await _users(request)).get(image.id, [])
    obstacles = {delivery: obstacle(image, delivery) for delivery in DELIVERIES}
    lacks = request.app[SERVICES].imports.lacks
    shown = {"users": users, "lacks": lacks, "obstacles": obstacles, "disks": DISKS, "error": error}
    taken = {each.version: each for each in kernels if each.image == image.id}
    status = status_of(error) if error else 200
    return render(request, "image.html", status=status, image=image, kernels=taken, **shown)


async def form(request: web.Request) -> web.Response:
    """GET /images/new"""
    return render(request, "image_new.html", typed={}, error=None)


async def upload(request: web.Request) -> web.Response:
    """POST /images/new, multipart: the text fields, then the file, which goes to disk as it comes."""
    received = Upload()
    try:
        await receive(request, received, "file")
        image = await _store(request, received)
    except (Invalid, Conflict) as error:
        return render(request, "image_new.html", status=422, typed=received.fields, error=error)
    return see_other(f"/images/{image.id}")


async def _store(request: web.Request, received: Upload) -> Image:
    if received.file is None:
        raise Invalid("file-missing", "Choose the file to upload", field="file")
    services, name = request.app[SERVICES], received.text("name")
    check_name(name)
    await require_free(request, catalogue.image, "image", name)
    content, description = chunks(received.file, CHUNK), received.text("description")
    # The whole form is a little longer than its file: near enough to say now that there is no room for it.
    expected = request.content_length or 0
    return await services.imports.add_image(name, description, "", content, who(request), expected)


async def fetch_form(request: web.Request) -> web.Response:
    """GET /images/fetch/new"""
    return render(request, "image_fetch.html", typed={}, error=None)


async def fetch(request: web.Request) -> web.Response:
    """POST /images/fetch/new with ``url``, ``sha256``, ``name`` and ``description``."""
    sent = await fields(request)
    typed = {name: text(sent, name).strip() for name in ("url", "sha256", "name", "description")}
    wish = ImageWish(typed["name"], typed["description"], url=typed["url"])
    try:
        task = await request.app[INTAKE].fetch(wish, typed["sha256"], who(request), replace=False)
    except (Invalid, Conflict) as error:
        return render(request, "image_fetch.html", status=status_of(error), typed=typed, error=error)
    return see_other(f"/tasks/{task.id}")


async def stop_upload(request: web.Request) -> web.Response:
    """POST /images/uploads/{key}/stop: remove what is half here; nothing there is no error."""
    return await stopped(request, "image")


async def ask_delete(request: web.Request) -> web.Response:
    """GET /images/{key}/delete"""
    return await _delete_page(request, await _image(request))


async def delete(request: web.Request) -> web.Response:
    """POST /images/{key}/delete with its name typed."""
    image = await _image(request)
    if wrong := await confirmed(request, image.name):
        return await _delete_page(request, image, wrong)
    await request.app[SERVICES].imports.delete_image(str(image.id), who(request))
    return see_other("/images")


async def _delete_page(request: web.Request, image: Image, wrong: ApplianceError | None = None) -> web.Response:
    foreseen = await request.app[SERVICES].store.read(lambda db: deletion(db, str(image.id)))
    return confirm_page(
        request,
        title=f"Delete {image.name}",
        texts=foreseen.texts,
        confirm=image.name,
        button=f"Delete {image.name}",
        back=f"/images/{image.id}",
        refused=foreseen.refused,
        wrong=wrong,
    )
