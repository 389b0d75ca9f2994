"""What a teacher estimates."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

KINDS = {
    "probability": "class probabilities",
    "reweighted probability": "class probabilities under other class weights than those of the rows",
    "mean": "the conditional mean",
    "rate": "a rate (the mean of a target that is not negative)",
    "median": "the conditional median",
    "quantile": "the {levels} quantile",
    "expectile": "the {levels} expectile",
    "robust location": "a robust location (between mean and median)",
    "score": "a score",
    "location": "a location other than the mean",
}
"""The kinds of estimands, with the words for them."""

SUPPORTS = ("real", "positive", "unit")


@dataclass(frozen=True)
class Estimand:
    """What a teacher estimates, the range of it, and where this is known from.

    Parameters
    ----------
    kind : str
        ``"probability"``, ``"reweighted probability"`` (of classes under other weights than those of the rows),
        ``"mean"``, ``"rate"`` (the mean of a target that is not negative), ``"median"``, ``"quantile"``,
        ``"expectile"``, ``"robust location"``, ``"score"`` (of a ranking or of an outlier detector) or ``"location"``
        (a mean of transformed targets, or a location that was found to be shifted from the mean).
    source : str
        Where it is known from, for people: ``"GradientBoostingRegressor(loss='quantile', alpha=0.9)"``.
    levels : tuple of float, default=()
        Of quantiles or an expectile, one or several.
    support : {"real", "positive", "unit"}, default="real"
        The range of the teacher's values: any number, numbers above 0, or numbers in [0, 1].
    known : bool, default=True
        Whether parameters of the teacher say so. False: it is assumed, to be tested on rows with
        ``confirm_estimand``.
    balanced : bool, default=False
        Of reweighted probabilities: whether all classes weigh the same, which changes nothing where they are as many.

    Examples
    --------
    >>> from sklkd.teachers import Estimand
    >>> estimand = Estimand("quantile", "LGBMRegressor(objective='quantile', alpha=0.9)", levels=(0.9,))
    >>> print(estimand)
    the 0.9 quantile (LGBMRegressor(objective='quantile', alpha=0.9))
    >>> estimand.answered_by_labels
    False
    """

    kind: str
    source: str
    levels: tuple[float, ...] = ()
    support: str = "real"
    known: bool = True
    balanced: bool = False

    def __post_init__(self) -> None:
        if self.kind not in KINDS:
            raise ValueError(f"kind must be one of {', '.join(map(repr, KINDS))}, got kind={self.kind!r}.")
        if self.support not in SUPPORTS:
            raise ValueError(f"support must be one of {', '.join(map(repr, SUPPORTS))}, got support={self.support!r}.")

    @property
    def answered_by_labels(self) -> bool:
        """Whether a model that is trained on the labels by log loss or squared error estimates the same."""
        return self.kind in ("probability", "mean", "rate")

    def __str__(self) -> str:
        words = KINDS[self.kind]
        if self.levels:
            *first, last = [f"{level:.6g}" for level in self.levels]
            words = words.format(levels=f"{', '.join(first)} and {last}" if first else last)
            words += "s" if first else ""
        elif "{" in words:
            words = f"a {self.kind}"
        return f"{words} ({self.source})"


def quantile_estimand(levels: Sequence[float], source: str, support: str = "real") -> Estimand:
    """The estimand of one or several quantiles; the 0.5 quantile alone is the median."""
    if len(levels) == 1 and levels[0] == 0.5:
        return Estimand("median", source, support=support)
    return Estimand("quantile", source, tuple(map(float, levels)), support)


def expectile_estimand(level: float, source: str) -> Estimand:
    """The estimand of an expectile; the 0.5 expectile is the mean."""
    return Estimand("mean", source) if level == 0.5 else Estimand("expectile", source, (float(level),))


def combined(members: Sequence[Estimand], source: str = "") -> Estimand:
    """The estimand of the average of several teachers.

    Means stay a mean. Different locations average to some location, natural and reweighted probabilities to
    reweighted ones; the source then names the members.
    """
    first = members[0]
    known = all(member.known for member in members)
    sources = list(dict.fromkeys(member.source for member in members))
    named = source or (sources[0] if len(sources) == 1 else "the average of " + ", ".join(sources))
    supports = {member.support for member in members}
    support = first.support if len(supports) == 1 else "real" if "real" in supports else "positive"
    kinds = {member.kind for member in members}
    balanced = kinds != {"probability"} and all(member.balanced or member.kind == "probability" for member in members)
    if len(kinds) == 1 and len({member.levels for member in members}) == 1:
        return Estimand(first.kind, named, first.levels, support, known, balanced)
    if kinds <= {"probability", "reweighted probability"}:
        kind = "reweighted probability"
    elif kinds <= {"mean", "rate"}:
        kind = "mean"
    elif kinds <= {"median", "robust location"}:
        kind = "robust location"
    else:
        kind = "location"
    return Estimand(kind, named, support=support, known=known, balanced=balanced)
