"""All looks that need the pixels, in one pass over them."""

from collections.abc import Iterator

from lossassay.data.audit.blank import blank_findings
from lossassay.data.audit.drift import drift_findings
from lossassay.data.audit.pixels import pixel_facts
from lossassay.data.audit.shortcut_findings import find_shortcuts
from lossassay.data.cache import ImageCache
from lossassay.data.manifest import Finding


def image_findings(cache: ImageCache) -> Iterator[Finding]:
    """Name blank and inverted images, drift between official parts, and what may stand in for the disease."""
    facts = pixel_facts(cache)
    yield from blank_findings(cache, facts)
    yield from drift_findings(cache, facts)
    yield from find_shortcuts(cache, facts).findings
