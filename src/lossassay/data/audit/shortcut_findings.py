"""Everything that may stand in for the disease, looked for together so that chance finds nothing in many looks."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from lossassay.data.audit.labels import labels_of
from lossassay.data.audit.pixels import PixelFacts, pixel_facts
from lossassay.data.audit.shortcut_probe import Probe, no_probe_reason, probes
from lossassay.data.audit.source_tells import column_features, column_findings, source_features, source_findings
from lossassay.data.audit.storage_tells import border_feature, file_features, storage_findings
from lossassay.data.audit.tells import Target, find_tells
from lossassay.data.cache import ImageCache
from lossassay.data.grouping import group_numbers
from lossassay.data.manifest import Finding, Manifest

_MOST_OF_THE_WHOLE = 0.85


@dataclass(frozen=True, kw_only=True)
class Shortcuts:
    """What may stand in for the disease.

    Args:
        findings: Coded.
        probes: What simple rules reach.
    """

    findings: tuple[Finding, ...]
    probes: tuple[Probe, ...]


def find_shortcuts(cache: ImageCache, facts: PixelFacts | None = None) -> Shortcuts:
    """Look at source, columns and storage, and let simple rules predict the class.

    Args:
        cache: The decoded data.
        facts: How its images look as a whole, if that is known already.
    """
    facts = facts or pixel_facts(cache)
    found = probes(cache, facts)
    return Shortcuts(
        findings=(*tell_findings(cache, facts), *probe_findings(found, cache.manifest)),
        probes=found,
    )


def target_of(manifest: Manifest) -> Target:
    """Return the labels as what properties may give away."""
    hot, known = labels_of(manifest)
    return Target(hot=hot, known=known, groups=group_numbers(manifest), names=manifest.class_names)


def tell_findings(cache: ImageCache, facts: PixelFacts) -> Iterator[Finding]:
    """Say which property gives a class away: source, column, format, or another trace of storage."""
    families = [
        (source_findings, source_features(cache.manifest.rows)),
        (column_findings, column_features(cache.manifest)),
        (storage_findings, (*file_features(cache), border_feature(facts))),
    ]
    varying = [[feature for feature in features if feature.varies] for _, features in families]
    tells = iter(find_tells([feature for features in varying for feature in features], target_of(cache.manifest)))
    for (findings, _), features in zip(families, varying, strict=True):
        own = [tell for _, tell in zip(features, tells, strict=False)]
        yield from findings(own)


def probe_findings(found: Sequence[Probe], manifest: Manifest) -> Iterator[Finding]:
    """Say what the simple rules reach, where that is more than chance.

    The rim is an issue if even its lower limit is more than half of the way from chance to 1, and keeps more than 85 %
    of what the whole thumbnail has above chance: then the rim alone gives most images away, and the centre, where the
    disease is, is hardly needed. Otherwise it is a note: a trained network can still use the centre, and what is cut
    out closely reaches the rim. The two shares are a choice, made after a look at chest X-rays of one and of two
    hospitals and at handwritten symbols so that only the two hospitals are an issue; no other data have tested it.
    """
    reason = no_probe_reason(manifest)
    if reason:
        yield Finding(
            code="no-shortcut-probe",
            severity="note",
            message=reason,
            advice="Add patients of the rare classes to learn how far simple rules get.",
        )
    for probe in found:
        if probe.above_chance:
            is_issue = probe.name == "masked-centre" and _needs_no_centre(probe, found[0])
            yield Finding(
                code=f"shortcut-{probe.name}",
                severity="issue" if is_issue else "note",
                message=probe.words,
                advice=_ADVICE[probe.name],
            )


def _needs_no_centre(masked: Probe, whole: Probe) -> bool:
    above = masked.low - masked.chance
    return above > (1 - masked.chance) / 2 and above > _MOST_OF_THE_WHOLE * (whole.score - whole.chance)


_ADVICE = {
    "thumbnails": "This is no fault by itself. A trained network should be clearly better; if it is not, it may have "
    "learnt no more than brightness and outline.",
    "masked-centre": "Something at the rim goes with the class: borders, markers, position. Crop to the organ, or "
    "check the result with the control masked_centre.",
    "metadata": "How an image was made or stored goes with the class. Balance it, or test on data where it does not.",
}
