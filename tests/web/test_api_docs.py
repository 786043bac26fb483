"""The API's page: everything that the document has, readable without scripts and without another host."""

import json
import re

from web_world import World

from appliance.web.api.routes import ENDPOINTS
from appliance.web.console.apidocs import QRM, nouns


async def page(admin: World) -> str:
    async with admin.client.get("/docs/api", headers={**admin.headers, "Accept": "text/html"}) as response:
        assert response.status == 200
        return await response.text()


async def test_every_endpoint_is_on_the_page(admin: World) -> None:
    shown = await page(admin)
    for endpoint in ENDPOINTS:
        line = f'<code class="method">{endpoint.method}</code><code class="path">{endpoint.path}</code>'
        assert line in shown
    assert "As last leased or reported." in shown, "what is written below a field"
    assert "Idempotency-Key" in shown
    assert shown.count('id="tasks"') == 1, "the strip's, which its script looks for"
    main = shown.partition("<main")[2].partition("</main>")[0]
    assert not re.search(r"<script|style=|\son\w+=|(?:src|href)=.https?:", main)


async def test_examples_can_be_sent(admin: World) -> None:
    document = await admin.api("GET", "/openapi.json")
    (create,) = [
        each for each in nouns(json.dumps(document).encode())["deployments"] if each.id == "deployments.create"
    ]
    assert "-X POST" in create.curl
    assert '{"name": "...", "image": "..."}' in create.curl
    assert create.qrm.startswith("qrm deployments create")


def test_command_lines_are_of_endpoints_that_there_are() -> None:
    assert set(QRM) <= {f"{each.method} {each.path}" for each in ENDPOINTS}
