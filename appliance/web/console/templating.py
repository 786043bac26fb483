"""The templates' environment: what all of them know, and how they show values."""

from collections.abc import Callable, Mapping
from datetime import tzinfo
from pathlib import Path
from typing import Any

import jinja2
from jinja2.runtime import Context

from appliance import __version__, delivery
from appliance.cloud_init import seed_words
from appliance.deployment import content_in_words
from appliance.machine import State
from appliance.web.console import seed_values, words
from appliance.web.console.power_words import chip
from appliance.wiping import MEANINGS, done_by, remarks

TEMPLATES = Path(__file__).parent.parent / "templates"
FILTERS = (
    content_in_words,
    seed_words,
    words.memory,
    words.disk_size,
    words.content_size,
    words.percent,
    words.span,
    words.running_time,
    words.step_label,
    words.overall,
    words.weights,
    words.hardware,
    words.sentence,
    words.key_fingerprint,
    words.pairs_of_hex,
    done_by,
    remarks,
)
TOLD = (words.moment, words.clock, words.iso)
"""Those that show a time, in the zone of whoever looks."""


COMPILED: jinja2.BytecodeCache | None = None
"""Where compiled templates are kept for the next environment: a daemon has one and needs none, tests have many."""


def renderer(known: Mapping[str, Any]) -> Callable[[str, Mapping[str, Any]], str]:
    """What makes text of a template's name and its values, all escaped; every template has ``known`` besides."""
    made = jinja2.Environment(
        loader=jinja2.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        bytecode_cache=COMPILED,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "version": __version__,
        "mark": words.mark,
        "mark_named": lambda name: words.mark(State(name)),
        "ASKS": words.ASKS,
        "OFFLINE": words.OFFLINE,
        "power_chip": chip,
        "WIPE_MEANINGS": MEANINGS,
        "DELIVERY_MEANINGS": delivery.MEANINGS,
        "SEED_ROWS": seed_values.ROWS,
        **known,
    }
    made.filters |= {each.__name__: each for each in FILTERS}
    made.filters |= {each.__name__: _in_zone(each) for each in TOLD}
    return lambda template, values: made.get_template(template).render(**values)


def _in_zone(told: Callable[[float, tzinfo | None], str]) -> Callable[[Context, float], str]:
    """A filter that tells a time in the zone of whoever looks."""

    @jinja2.pass_context
    def shown(context: Context, at: float) -> str:
        return told(at, context["zone"])

    return shown
