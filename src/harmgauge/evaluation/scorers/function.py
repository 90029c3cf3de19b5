"""Scores of a Python function."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from typing import Any

import numpy as np
from tqdm import tqdm

from ...errors import HarmgaugeError, RecipeError
from .base import Batch, Scored, as_record, as_scores

# Calls are cut into this many exchanges, so that progress shows and memory stays bounded.
_CHUNK = 256


class FunctionSource:
    """A function that takes a list of records (see `as_record`) and gives one number each."""

    identity = None  # nothing says what a function depends on

    def __init__(self, name: str, address: str, folder: Path) -> None:
        """Import `module:function`; `folder` is searched for the module first.

        Raises:
            RecipeError: there is no such module or function, or the module fails.
        """
        self._name = name
        self.facts: dict[str, Any] = {"python": address}
        module_name, _, function = address.partition(":")
        sys.path.insert(0, str(folder))
        try:
            module = importlib.import_module(module_name)
            self._function = getattr(module, function)
        except ModuleNotFoundError as error:
            raise RecipeError(
                f"{name}: python: {address}: there is no module {error.name}; install it, or put "
                f"it into {folder}"
            ) from error
        except AttributeError:
            raise RecipeError(f"{name}: the module {module_name} has no {function}") from None
        except (Exception, SystemExit) as error:
            raise RecipeError(
                f"{name}: importing {module_name} failed ({type(error).__name__}); try it alone"
            ) from error
        finally:
            sys.path.remove(str(folder))
        own = folder / f"{module_name.replace('.', '/')}.py"
        if own.is_file() and not (module.__file__ and own.samefile(module.__file__)):
            raise RecipeError(
                f"{name}: a module {module_name} was loaded already from another place; rename "
                f"{own}"
            )
        if not callable(self._function):
            raise RecipeError(f"{name}: {address} is no function")

    def scores(self, batch: Batch, *, progress: bool) -> Scored:
        exchanges, parts = batch.exchanges, [np.empty(0)]
        with tqdm(total=len(exchanges), desc=self._name, disable=not progress) as bar:
            for start in range(0, len(exchanges), _CHUNK):
                records = [as_record(each) for each in exchanges[start : start + _CHUNK]]
                try:
                    values = self._function(records)
                except (Exception, SystemExit) as error:  # whose words may quote a text
                    raise HarmgaugeError(
                        f"{self._name}: its function failed with {type(error).__name__} on the "
                        f"exchanges from {batch.ids[start]} on"
                    ) from error
                parts.append(as_scores(values, len(records), self._name))
                bar.update(len(records))
        return Scored(np.concatenate(parts))
