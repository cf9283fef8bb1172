"""The process of a stage: calls train() or infer() of a submission and reports what became of it.

It imports nothing but the standard library, so that all that runs beside it is the submission's.
"""

import faulthandler
import inspect
import json
import os
import signal
import sys
import threading
import time
import traceback
from collections.abc import Callable, Mapping
from importlib.machinery import SourceFileLoader
from pathlib import Path
from types import ModuleType
from typing import Any

RETURNED = "returned"


def main(report: Path) -> None:
    """Make the call that a line on standard input describes.

    Parameters
    ----------
    report
        Gets `RETURNED` or what went wrong; if a signal such as SIGSEGV ends the process, the Python
        frames where it was.
    """
    with report.open("w", encoding="utf-8") as file:
        faulthandler.enable(file, all_threads=False)
        call = json.loads(sys.stdin.readline())
        threading.Thread(target=_end_with_the_parent, daemon=True).start()
        os.chdir(call["submission"])
        sys.path.insert(0, call["submission"])
        text = RETURNED
        try:
            call_by_name(_function_of_main(call["name"]), call["values"])
        except BaseException as error:  # exit() and Ctrl-C too
            text = describe_failure(error, f"{call['name']}() failed", call["submission"])
        file.write(text)
        faulthandler.disable()


def _end_with_the_parent() -> None:
    """Interrupt the stage, as Ctrl-C does, when standard input ends because the parent did."""
    while os.read(0, 1024):
        pass
    signal.pthread_kill(threading.main_thread().ident or 0, signal.SIGINT)
    time.sleep(5)
    os._exit(130)


def _function_of_main(name: str) -> Callable[..., None]:
    """Load main.py of the working directory by path, under the platform's name for it."""
    module = sys.modules["user_code"] = ModuleType("user_code")
    module.__file__ = str(Path("main.py").resolve())
    SourceFileLoader("user_code", module.__file__).exec_module(module)
    if not hasattr(module, name):
        raise AttributeError(f"main.py has no {name}(). The platform calls it: define it.")
    return getattr(module, name)


def call_by_name(function: Callable[..., None], values: Mapping[str, Any]) -> None:
    """Pass each parameter without a default its value by name, None if there is none."""
    parameters = inspect.signature(function).parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty]
    function(**{name: values.get(name) for name in wanted})


def describe_failure(error: BaseException, what: str, directory: str) -> str:
    """Say in a few lines what went wrong and where: a user's own failure is never lost.

    Parameters
    ----------
    error
        As caught. An InputError, whichever copy of the class, is its message: a sentence already.
    what
        Begins the text, such as "train() failed".
    directory
        The user's; the last frames of files in it are shown, and the very last one.
    """
    if type(error).__name__ == "InputError":
        return str(error)
    frames = [f for f in traceback.extract_tb(error.__traceback__) if f.line]
    frames = [frame for frame in frames if frame.filename != __file__]
    own = [frame for frame in frames if frame.filename.startswith(directory)]
    words = "".join(traceback.format_exception_only(error)).strip()
    if isinstance(error, SystemExit):
        words = f"it ended the program, exit({error.code!r}), where it should return"
    places = [*own[-3:], *(frame for frame in frames[-1:] if frame not in own)]
    lines = [f"  {f.filename}, line {f.lineno}, in {f.name}: {f.line}" for f in places]
    return "\n".join([f"{what}: {words}", *lines])


if __name__ == "__main__":
    main(Path(sys.argv[1]))
