"""Reads of one vehicle to one decision (pure).

Similar reads are clustered; in the heaviest cluster all reads are aligned onto one of them and vote character by character
(ROVER: Fiscus, "A post-processing system to yield reduced word error rates", 1997), weighted by character score and by how good
the crop was. How many characters there are is voted on too. Then the country formats say what the voted text most likely is,
and only then it is asked whether enough looks agree. Agreement decides, never one confident read: a reader is often quite sure
of a wrong text in a blurred crop.

Ties are broken by the order of the looks, so the same looks give the same decision.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

from streamer.columns import Ballot, Column, Group, Look, align_looks, group, heaviest_cluster, medoid
from streamer.plates import Candidate, FormatBook, alike, confusion, distance, fold
from streamer.types import NoPlateReason, PlateRead

NEAR = 1 / 3
"""Another text comes near if it has more than this part of the plate's support."""
CONTESTED = 0.5
"""A character is contested if another one has more than this part of its votes."""
CONTRADICTION = 0.85
"""The looks contradict each other if another text has more than this part of the plate's support, and as many looks as a plate needs."""
FIT_FACTOR = 2.0
"""How much more a number of characters is believed if a country format fits, and again if that country is expected."""
EDGE = 2
"""So many characters more or fewer at the ends do not contradict: borders are read as characters, and crops cut them off."""
MAX_ALTERNATIVES = 5


@dataclass(frozen=True, slots=True)
class VoteRules:
    """When looks make a plate."""

    min_reads: int
    """Looks that must agree; 1 for single pictures."""
    sure_reads: int
    """Looks that must agree for reading to stop, if no other text comes near."""
    min_chars: int
    max_chars: int
    min_score: float = 0.0
    """A plate whose looks agree less (see ``Decision.score``) is rejected: by chance two looks at noise agree, too."""


@dataclass(frozen=True, slots=True)
class Decision:
    """What the looks amount to."""

    plate: str | None
    raw: str | None
    """The single read, as the reader gave it, that agrees with the decision most; None without reads."""
    raw_order: int | None
    """Its ``order``."""
    score: float
    """0..1, geometric mean of ``char_scores``; 0 without a plate. Agreement, not a probability."""
    char_scores: tuple[float, ...]
    """One per character of ``plate``, 0..1: mean score that the reader gave to the character (or its look-alikes) times the weighted share
    of all looks that had it there, smoothed as (looks that had it + 1) / (looks + 2) (Laplace's rule of succession); a look-alike
    counts as 1 less its confusion cost. Falls with disagreement and with few looks: one perfect read gives 2/3, four give 5/6."""
    alternatives: tuple[tuple[str, float], ...]
    """Other texts, best first: other decisions of the formats (their share of the odds times ``score``) and other reads (their share
    of the weight)."""
    country: str | None
    format: str | None
    unread_chars: int
    """Characters of the plate outside the alphabet, which are not in ``plate``: the number that most looks have, by their strength,
    of those that agree with the plate up to look-alikes (of its cluster, if none agrees as a whole); 0 without a plate."""
    agreeing: int
    """Looks that bear out the plate's most doubtful character: that have it, or a close look-alike, or what it was decided from, in its
    place; or that have nothing where the plate leaves a character out."""
    reads: int
    """All looks that gave a text."""
    sure: bool
    """Enough looks read the whole plate up to look-alikes and no other text comes near: further reads would not change it."""
    reason: NoPlateReason | None
    """Set exactly when ``plate`` is None."""


@dataclass(frozen=True, slots=True)
class _Hypothesis:
    """A number of characters, the text that it gives and what the formats make of it."""

    columns: tuple[Column, ...]
    left_out: tuple[Column, ...]
    looks: int
    """Looks of the cluster."""
    voted: str
    candidates: tuple[Candidate, ...]
    log_odds: float

    @property
    def plate(self) -> str:
        return self.candidates[0].plate

    def agrees(self, text: str) -> bool:
        """Whether a read is this plate up to look-alikes."""
        return alike(text, self.plate) or alike(text, self.voted)

    def backing(self) -> list[list[Ballot]]:
        """For each place of the plate the ballots that bear it out."""
        triples = zip(self.columns, self.voted, self.plate, strict=True)
        return [
            [b for b in column.ballots if alike(b.character, voted) or alike(b.character, decided)] for column, voted, decided in triples
        ]

    def agreeing(self) -> int:
        """See ``Decision.agreeing``."""
        without = [self.looks - len(column.ballots) for column in self.left_out]
        return min([*map(len, self.backing()), *without])

    def support(self) -> float:
        """Weight behind the most doubtful character."""
        return min(math.fsum(ballot.vote for ballot in ballots) for ballots in self.backing())


class Vote:
    """Collects the reads of one vehicle. Not thread-safe."""

    def __init__(self, rules: VoteRules, book: FormatBook) -> None:
        self._rules = rules
        self._book = book
        self._looks: list[Look] = []

    def add(self, read: PlateRead, *, weight: float, order: int) -> None:
        """Count a read; an empty one is ignored.

        ``weight``: how good the crop was, above 0; ``order``: place of the look in time, unique.
        """
        if read.text:
            self._looks.append(Look(read.text, read.char_scores, weight, order, read.unread))

    def support(self, text: str) -> float:
        """Give the weighted share of all looks that read ``text`` up to look-alikes, 0..1."""
        total = math.fsum(look.strength for look in self._looks)
        return math.fsum(look.strength for look in self._looks if alike(look.text, text)) / total if total else 0.0

    def decision(self) -> Decision:
        """Say what the reads so far amount to. The same reads with the same orders give the same decision, however they came."""
        looks = sorted(self._looks, key=lambda look: (look.order, look.text))
        texts = group(looks)
        if not texts:
            return _no_plate("too_few_looks", None, (), 0, 0)
        cluster = heaviest_cluster(texts)
        hypotheses = self._hypotheses(cluster)
        if not hypotheses:
            return _no_plate("rejected", _closest(looks, cluster[0].text), _shares(texts), 0, len(looks))
        best = max(hypotheses, key=lambda hypothesis: (hypothesis.log_odds, len(hypothesis.voted)))
        agreeing = best.agreeing()
        raw = _closest(looks, best.plate)
        rival, rival_looks = _rival(texts, best)
        if agreeing < max(1, self._rules.min_reads):
            return _no_plate("too_few_looks", raw, _shares(texts), agreeing, len(looks))
        if rival_looks >= self._rules.min_reads and rival > CONTRADICTION * best.support():
            return _no_plate("rejected", raw, _shares(texts), agreeing, len(looks))
        char_scores = tuple(_char_score(column, c, looks) for column, c in zip(best.columns, best.plate, strict=True))
        score = math.exp(math.fsum(math.log(max(s, 1e-9)) for s in char_scores) / len(char_scores))
        if score < self._rules.min_score:
            return _no_plate("rejected", raw, _shares(texts), agreeing, len(looks))
        top = best.candidates[0]
        whole = [look for look in looks if best.agrees(look.text)]
        return Decision(
            plate=best.plate,
            raw=raw.text,
            raw_order=raw.order,
            score=score,
            char_scores=char_scores,
            alternatives=_alternatives(texts, best, score),
            country=top.country,
            format=top.format,
            unread_chars=_unread(whole or [look for same in cluster for look in same.looks]),
            agreeing=agreeing,
            reads=len(looks),
            sure=len(whole) >= self._rules.sure_reads and rival <= NEAR * best.support() and not _contested(best),
            reason=None,
        )

    def _hypotheses(self, cluster: Sequence[Group]) -> list[_Hypothesis]:
        """Every number of characters that a read of the cluster or most of them together have, if it can be a plate."""
        pivot = medoid(cluster)
        columns = align_looks(pivot.text, [look for same in cluster for look in same.looks])
        usual = sum(column.occupancy > 0.5 for column in columns)
        lengths = sorted({usual, *(len(same.text) for same in cluster)})
        wanted = [length for length in lengths if self._rules.min_chars <= length <= min(self._rules.max_chars, len(columns))]
        looks = sum(len(same.looks) for same in cluster)
        return [hypothesis for length in wanted if (hypothesis := self._hypothesis(columns, length, looks)) is not None]

    def _hypothesis(self, columns: Sequence[Column], length: int, looks: int) -> _Hypothesis | None:
        """The text of the ``length`` columns that most looks have a character in; None if no format takes it."""
        places = sorted(sorted(range(len(columns)), key=lambda place: (-columns[place].occupancy, place))[:length])
        chosen = tuple(columns[place] for place in places)
        voted = "".join(column.winner for column in chosen)
        candidates = self._book.rank(voted, [column.mean_score(column.winner) for column in chosen], [column.shares for column in chosen])
        if not candidates:
            return None
        believed = [c.occupancy if place in places else 1.0 - c.occupancy for place, c in enumerate(columns)]
        fits = candidates[0].fits + candidates[0].expected
        left_out = tuple(column for place, column in enumerate(columns) if place not in places)
        log_odds = math.fsum(map(math.log, believed)) + fits * math.log(FIT_FACTOR)
        return _Hypothesis(chosen, left_out, looks, voted, tuple(candidates), log_odds)


def _closest(looks: Sequence[Look], text: str) -> Look:
    return min(looks, key=lambda look: (distance(look.text, text), -look.strength, look.order))


def _unread(looks: Sequence[Look]) -> int:
    """The number of unread characters that the looks with most strength have; of equal ones that of the earliest look."""
    votes: dict[int, float] = {}
    for look in sorted(looks, key=lambda look: look.order):
        votes[look.unread] = votes.get(look.unread, 0.0) + look.strength
    return max(votes, key=votes.__getitem__)


def _rival(groups: Sequence[Group], best: _Hypothesis) -> tuple[float, int]:
    """Weight and looks of the heaviest other text, counted with its look-alikes; texts that differ at the ends only are no rivals."""
    others = [other for other in groups if not best.agrees(other.text) and not _edges_differ(other.text, best.plate)]
    parties = [[other for other in others if alike(other.text, rival.text)] for rival in others]
    counts = [(math.fsum(same.weight for same in party), sum(len(same.looks) for same in party)) for party in parties]
    return max(counts, default=(0.0, 0))


def _edges_differ(a: str, b: str) -> bool:
    """Whether one text is the other with one or two characters more at its ends."""
    short, long = sorted((a, b), key=len)
    more = len(long) - len(short)
    return 0 < more <= EDGE and any(alike(long[start : start + len(short)], short) for start in range(more + 1))


def _contested(best: _Hypothesis) -> bool:
    """Whether the looks leave a character open that the formats did not decide; O/0 and I/1 no number of looks decides."""
    for column, voted, decided in zip(best.columns, best.voted, best.plate, strict=True):
        others = [share for c, share in column.shares.items() if fold(c) != fold(voted)]
        if voted == decided and max(others, default=0.0) > CONTESTED * column.shares[voted]:
            return True
    return False


def _char_score(column: Column, plate: str, looks: Sequence[Look]) -> float:
    """See ``Decision.char_scores``."""
    total = math.fsum(look.weight for look in looks)
    backing = [(ballot, ballot.weight * max(0.0, 1.0 - confusion(ballot.character, plate))) for ballot in column.ballots]
    support = math.fsum(weight for _, weight in backing)
    if not support:
        return 0.0
    mean = math.fsum(ballot.score * weight for ballot, weight in backing) / support
    return mean * (len(looks) * support / total + 1.0) / (len(looks) + 2.0)


def _shares(groups: Sequence[Group]) -> tuple[tuple[str, float], ...]:
    """The texts that were read with their shares of the weight."""
    total = math.fsum(same.weight for same in groups)
    return tuple((same.text, same.weight / total) for same in groups[:MAX_ALTERNATIVES])


def _alternatives(groups: Sequence[Group], best: _Hypothesis, score: float) -> tuple[tuple[str, float], ...]:
    """See ``Decision.alternatives``."""
    scores = dict(_shares(groups))
    for candidate in best.candidates[1:]:
        scores[candidate.plate] = max(scores.get(candidate.plate, 0.0), candidate.score * score)
    others = [(text, value) for text, value in scores.items() if text != best.plate and value >= 0.01]
    return tuple(sorted(others, key=lambda pair: (-pair[1], pair[0]))[:MAX_ALTERNATIVES])


def _no_plate(reason: NoPlateReason, raw: Look | None, alternatives: tuple[tuple[str, float], ...], agreeing: int, reads: int) -> Decision:
    return Decision(
        plate=None,
        raw=raw.text if raw else None,
        raw_order=raw.order if raw else None,
        score=0.0,
        char_scores=(),
        alternatives=alternatives,
        country=None,
        format=None,
        unread_chars=0,
        agreeing=agreeing,
        reads=reads,
        sure=False,
        reason=reason,
    )
