"""How images and kernels are listed."""

from typing import Annotated

import msgspec

from appliance.store.listing import Filter, Listing, Number, Sort, flag, words

Word = Annotated[str, msgspec.Meta(max_length=200)]

# There are a few dozen of them: their documents may be looked into.

IMAGES = Listing(
    table="images i",
    columns="i.doc",
    id="i.id",
    sorts={
        "name": Sort("i.name"),
        "size": Sort("json_extract(CAST(i.doc AS TEXT), '$.size')", Number),
        "stored": Sort("json_extract(CAST(i.doc AS TEXT), '$.stored_size')", Number),
        "created": Sort("json_extract(CAST(i.doc AS TEXT), '$.created')", float),
    },
    default="name",
    filters={
        "q": Filter(
            Word,
            words("lower(i.name || ' ' || json_extract(CAST(i.doc AS TEXT), '$.description'))"),
            "words that are all in its name or description",
        ),
        "used": Filter(
            bool, flag("EXISTS (SELECT 1 FROM deployments u WHERE u.image = i.id)"), "whether a deployment uses it"
        ),
    },
)
"""Gives the image's document."""

KERNELS = Listing(
    table="kernels k",
    columns="k.doc",
    id="k.id",
    sorts={
        "name": Sort("k.name"),
        "version": Sort("json_extract(CAST(k.doc AS TEXT), '$.version')"),
        "created": Sort("json_extract(CAST(k.doc AS TEXT), '$.created')", float),
    },
    default="name",
    filters={
        "q": Filter(
            Word,
            words("lower(k.name || ' ' || json_extract(CAST(k.doc AS TEXT), '$.version'))"),
            "words that are all in its name or version",
        ),
        "builtin": Filter(
            bool, flag("json_extract(CAST(k.doc AS TEXT), '$.builtin')"), "whether it belongs to the appliance"
        ),
    },
)
"""Gives the kernel's document."""
