"""Build the node image: `python -m image build | key | bin | prune`."""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path
from typing import cast, get_args

from image.build import ImageOptions, ensure_image, image_key, prune_images
from image.command import BuildError
from image.manifest import summary
from image.parts import Source, ensure_binaries
from image.pins import SUITE, UPSTREAM_URL


class _Arguments(argparse.Namespace):
    command: str
    out: Path | None
    overlay: list[Path]
    packages: str
    suite: str
    source: str
    keep: int
    raw: bool
    upstream: str


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(prog="python -m image", description="Build the node image.")
    commands = parser.add_subparsers(dest="command", required=True)
    sources = argparse.ArgumentParser(add_help=False)
    sources.add_argument("--source", choices=get_args(Source), default="auto", help="where the Kubernetes programs come from (auto)")
    sources.add_argument("--upstream", default=UPSTREAM_URL, metavar="URL", help=f"the project's release files ({UPSTREAM_URL})")
    image = argparse.ArgumentParser(add_help=False, parents=[sources])
    image.add_argument("--overlay", type=Path, action="append", default=[], metavar="DIR", help="lay this tree over the root (repeatable)")
    image.add_argument("--packages", default="", metavar="P1,P2", help="more Debian packages")
    image.add_argument("--suite", default=SUITE, help=f"Debian release ({SUITE})")
    build = commands.add_parser("build", parents=[image], help="make the image, or find it in the cache, and print its folder")
    build.add_argument("--out", type=Path, metavar="DIR", help="copy the result here as well")
    build.add_argument("--raw", action="store_true", help="with --out: the disk as node.raw too, for storage pools of kind logical")
    commands.add_parser("key", parents=[image], help="print the image's content key without building it")
    binaries = commands.add_parser("bin", parents=[sources], help="make the programs for use on this machine and print their folder")
    binaries.add_argument("out", type=Path, nargs="?", metavar="DIR", help="put them here instead of in the cache")
    prune = commands.add_parser("prune", help="remove images from the cache, 1.2 GB each")
    prune.add_argument("--keep", type=int, default=2, metavar="N", help="but the N last used (2)")
    return parser


def _say(line: str) -> None:
    sys.stderr.write(f"image: {line}\n")
    sys.stderr.flush()


def _run(arguments: _Arguments) -> str:
    if arguments.command == "prune":
        prune_images(arguments.keep, _say)
        return ""
    source = cast("Source", arguments.source)
    if arguments.command == "bin":
        return str(ensure_binaries(_say, source=source, upstream_url=arguments.upstream, out=arguments.out))
    options = ImageOptions(
        overlays=tuple(arguments.overlay),
        packages=tuple(name for name in arguments.packages.split(",") if name),
        suite=arguments.suite,
        source=source,
        upstream_url=arguments.upstream,
    )
    if arguments.command == "key":
        return image_key(options)
    if arguments.raw and arguments.out is None:
        raise BuildError("--raw goes with --out DIR: the cache holds qcow2 only")
    image = ensure_image(options, _say)
    for line in summary(json.loads(image.manifest.read_text())):
        _say(line)
    if arguments.out is not None:
        image.copy_to(arguments.out, raw=arguments.raw)
        return str(arguments.out)
    return str(image.folder)


def main() -> int:
    """Run one command; the result alone goes to standard output, progress to standard error."""
    try:
        result = _run(_parser().parse_args(namespace=_Arguments()))
    except BuildError as error:
        _say(f"failed: {error}")
        return 1
    except KeyboardInterrupt:
        _say("broken off: nothing half-made is left, run it again to go on")
        return 130
    if result:
        sys.stdout.write(result + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
