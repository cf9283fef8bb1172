"""What is compared: the submission as it ships, or with one of its parts exchanged."""

import ast
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from evaluation.local.stage_process import describe_failure
from perturbation.errors import InputError
from perturbation.model.parts import Predictor, check_predictor
from perturbation.model.predictors import OwnTranscript

REFERENCE = "module:name, or module:name(argument=1), the module as Python imports it: no file.py"


@dataclass(frozen=True)
class Contender:
    """Parts of the submission by the names under which any process finds them; empty: as shipped.

    Attributes
    ----------
    name
        As it stands in tables.
    predictor, cells, proportions
        "module:name", a function or class, perhaps with arguments: what main.fit and main.predict
        take under these names.
    features
        Path of a file of gene features.
    own_transcript
        Whether the predictor is wrapped as the shipped one is, so that like is compared with like.
    """

    name: str
    predictor: str = ""
    cells: str = ""
    proportions: str = ""
    features: str = ""
    own_transcript: bool = False

    def parts(self, *names: str) -> dict[str, Any]:
        """Return those of these parts that are not as shipped, to give to main.fit or main.predict.

        Raises
        ------
        InputError
            If one cannot be found or made.
        """
        found = {name: _named(getattr(self, name)) for name in names if getattr(self, name)}
        if "predictor" in found:
            self._make_predictor()
            found["predictor"] = self._make_predictor
        return found

    def _make_predictor(self) -> Predictor:
        found = _named(self.predictor)
        predictor = found() if callable(found) else found
        check_predictor(predictor, self.predictor)
        return OwnTranscript(predictor) if self.own_transcript else predictor


SHIPPED = Contender("shipped")
PARTS = ("predictor", "cells", "proportions")


def given_contenders(
    given: Mapping[str, Sequence[str]], *, own_transcript: bool
) -> tuple[Contender, ...]:
    """Return the shipped submission, and it with each part given exchanged.

    Parameters
    ----------
    given
        From the name of a part to references or, for features, files.
    own_transcript
        See `Contender`.

    Raises
    ------
    InputError
        If a part cannot be made.
    """
    contenders = [SHIPPED]
    for part, references in given.items():
        for reference in references:
            contender = Contender(reference, **{part: reference}, own_transcript=own_transcript)
            try:
                contender.parts(*PARTS)
            except Exception as error:  # whatever a user's module or class raises
                what = f"{reference} failed"
                raise InputError(describe_failure(error, what, str(Path.cwd()))) from error
            contenders.append(contender)
    return tuple(contenders)


def _named(reference: str) -> Any:  # noqa: ANN401, a function or an instance
    """Import what "module:name" says; make an instance of a class, call what has arguments.

    Raises
    ------
    InputError
        If there is no such module.
    """
    module_name, _, expression = reference.partition(":")
    has_arguments = "(" in expression
    try:
        call: Any = ast.parse(expression if has_arguments else f"{expression}()", mode="eval").body
        name, arguments = call.func.id, [ast.literal_eval(value) for value in call.args]
        keywords = {part.arg: ast.literal_eval(part.value) for part in call.keywords}
    except (SyntaxError, ValueError, AttributeError) as error:
        raise InputError(f"{reference} is not understood. Give {REFERENCE}.") from error
    try:
        module = import_module(module_name.removeprefix("./"))
    except ModuleNotFoundError as error:
        raise InputError(f"{reference} is not found: {error}. Give {REFERENCE}.") from error
    found = getattr(module, name)
    return found(*arguments, **keywords) if has_arguments or isinstance(found, type) else found
