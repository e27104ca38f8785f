"""The training policy: when a training set is frozen, and when a model is put in force.

In a batch run everything is there: the set is chosen, and its model denoises all shards. While a microscope is at
work (`live`):

1. As soon as ``training.quick.pairs`` movies are there, a quick model is trained on them and denoises what comes.
2. As soon as ``training.pairs`` movies are there, the set of the real model is chosen. It is trained beside the
   work that goes on, and once it is done it is promoted: it denoises all shards, those of the quick model again.
3. After every ``training.renew_after`` movies, or when an alarm of drift asks for it (``training.renew_on_drift``),
   another one is trained on the newest movies. It denoises what comes in afterwards, and nothing twice.

Another name or setting of the training is another model, which denoises everything again. What was decided is in the
journal (`models`), and is never decided again.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from .models import Models


@dataclass(frozen=True)
class Situation:
    """What a decision depends on.

    Attributes
    ----------
    lengths : dict of str to int
        Movies of each sealed shard, in order.
    live : bool
        Whether more movies are expected.
    pairs, quick_pairs : int or None
        Movies to wait for before the training of a model, and of the quick one (None: there shall be none).
    renew_after : int or None
        Movies after which another model is trained.
    drifted : str
        Why drift asks for another model; empty if it does not.
    """

    lengths: dict[str, int]
    live: bool
    pairs: int
    quick_pairs: int | None = None
    renew_after: int | None = None
    drifted: str = ""

    @property
    def movies(self) -> int:
        """How many there are in all shards."""
        return sum(self.lengths.values())

    @property
    def quick_wanted(self) -> bool:
        """Whether a quick model is wanted, and can be trained."""
        return self.live and self.quick_pairs is not None and self.movies >= self.quick_pairs


def decide(
    models: Models,
    now: Situation,
    *,
    model_id: Callable[[str], str],
    folder: Callable[[str], str],
    is_frozen: Callable[[str], bool],
    is_trained: Callable[[str], bool],
) -> bool:
    """Take the decisions that are due, and enter them into the journal.

    Parameters
    ----------
    models : Models
        The journal; grows.
    now : Situation
        How things are.
    model_id : callable
        Returns the id of a model under the present settings: ``""`` for the first one, ``"quick"``, or ``"2"``, ``"3"``
        … for those that follow the first.
    folder, is_frozen, is_trained : callable
        Return where the model of an id is, and whether its training set and the model itself are there.

    Returns
    -------
    bool
        Whether anything was decided.
    """
    if not now.lengths:
        return False
    before = len(models.sets), len(models.in_force)
    generations = [model_id(""), *(model_id(str(number)) for number in range(2, len(models.sets) + 3))]
    chosen = [model for model in generations if models.set_of(model)]
    quick = model_id("quick")
    if _first_is_due(models, now, generations[0], is_frozen=is_frozen):
        chosen = generations[:1]
        models.choose(chosen[0], spread_shards(now.lengths, now.pairs), f"{now.movies} movies are there")
    elif chosen and now.live and (reason := _reason_to_renew(models, now, chosen[-1])):
        chosen.append(generations[len(chosen)])
        models.choose(chosen[-1], newest_shards(now.lengths, now.pairs), reason)
    if now.quick_wanted and not models.set_of(quick) and not any(map(is_trained, chosen)):
        models.choose(quick, spread_shards(now.lengths, now.quick_pairs or 0), "a first look")
    _put_in_force(models, now, chosen, quick=quick, folder=folder, is_trained=is_trained)
    return before != (len(models.sets), len(models.in_force))


def _first_is_due(models: Models, now: Situation, model: str, *, is_frozen: Callable[[str], bool]) -> bool:
    """Tell whether to choose what the first model is trained on; in a batch run again, if there was too little."""
    chosen = models.set_of(model)
    if chosen is None:
        return not now.live or now.movies >= now.pairs
    return not now.live and not is_frozen(model) and list(chosen.shards) != spread_shards(now.lengths, now.pairs)


def _put_in_force(
    models: Models,
    now: Situation,
    chosen: Sequence[str],
    *,
    quick: str,
    folder: Callable[[str], str],
    is_trained: Callable[[str], bool],
) -> None:
    """Put in force what is to be used from now on."""
    ours = [quick, *chosen]
    latest = models.latest
    current = latest.model if latest and latest.model in ours else None
    for number, model in enumerate(chosen):
        if current in chosen[number:]:
            continue
        if number:  # one that follows another: for what comes in from now on
            if is_trained(model):
                first = f"{int(max(now.lengths)) + 1:06d}"
                models.put_in_force(model, folder(model), _why(models, model), first_shard=first)
                current = model
        elif not now.live or is_trained(model) or (current is None and now.quick_pairs is None):
            models.put_in_force(model, folder(model), "promoted" if current == quick else _why(models, model))
            current = model
    if current is None and models.set_of(quick):
        models.put_in_force(quick, folder(quick), _why(models, quick))


def _why(models: Models, model: str) -> str:
    chosen = models.set_of(model)
    return chosen.reason if chosen else ""


def _reason_to_renew(models: Models, now: Situation, last: str) -> str:
    """Return why another model is wanted after the last one, which must be in force by then; empty if none is."""
    chosen = models.set_of(last)
    if chosen is None or not any(entry.model == last for entry in models.in_force):
        return ""
    if now.drifted:
        return now.drifted
    newest = max(chosen.shards)
    since = sum(length for shard, length in now.lengths.items() if shard > newest)
    if now.renew_after is not None and since >= now.renew_after:
        return f"{since} movies since the last one"
    return ""


def spread_shards(lengths: Mapping[str, int], wanted: int) -> list[str]:
    """Return shards evenly spread over a session, as few as hold `wanted` movies (or all), in order."""
    names = list(lengths)
    for count in range(1, len(names)):
        taken = [names[place * len(names) // count] for place in range(count)]
        if sum(lengths[name] for name in taken) >= wanted:
            return taken
    return names


def newest_shards(lengths: Mapping[str, int], wanted: int) -> list[str]:
    """Return the last shards that hold `wanted` movies, in order."""
    taken: list[str] = []
    for name in sorted(lengths, reverse=True):
        taken.insert(0, name)
        if sum(lengths[shard] for shard in taken) >= wanted:
            break
    return taken
