"""Makes the pictures of a list: downloads the packages that have them, checks each file against its SHA-256, and writes
it as a JPEG of at most 800 pixels a side.

A path with `!` in it names a file inside a Qt resource file: `archive.rcc!path/inside.webp`.
"""
import argparse
import csv
import hashlib
import io
import os
import subprocess
import sys
import tempfile

from PIL import Image

from qt_resources import read_qt_resources

LONGEST_SIDE = 800
QUALITY = 95


class Package:
    """A Debian package, unpacked into a directory of its own."""

    def __init__(self, name, listed_version, directory):
        self.name, self.listed_version = name, listed_version
        self.resources = {}
        archives = os.path.join(directory, "archives")
        self.root = os.path.join(directory, "root")
        os.makedirs(archives)
        run(["apt-get", "--quiet", "download", name], f"cannot download the package {name}", cwd=archives)
        archive, = os.listdir(archives)
        archive = os.path.join(archives, archive)
        self.version = run(["dpkg-deb", "--field", archive, "Version"], f"cannot read the package {name}").strip()
        run(["dpkg-deb", "--extract", archive, self.root], f"cannot unpack the package {name}")

    def read(self, path, sha256):
        """The bytes at `path`, if they are those that the list means; else it exits and says what has changed."""
        archive, _, inner = path.partition("!")
        try:
            if inner:
                if archive not in self.resources:
                    self.resources[archive] = read_qt_resources(os.path.join(self.root, archive))
                data = self.resources[archive][inner]()
            else:
                with open(os.path.join(self.root, path), "rb") as file:
                    data = file.read()
        except (OSError, KeyError, ValueError) as error:
            sys.exit(f"{self.description} has no {path}: {error!r}")
        if hashlib.sha256(data).hexdigest() != sha256:
            sys.exit(f"{self.description} has another {path} than the list")
        return data

    @property
    def description(self):
        return f"{self.name} {self.version} (the list is of version {self.listed_version})"


def run(command, failure, cwd=None):
    process = subprocess.run(command, cwd=cwd, capture_output=True, text=True, stdin=subprocess.DEVNULL)
    if process.returncode != 0:
        sys.exit(f"{failure}: {process.stderr.strip()}")
    return process.stdout


def jpeg(data):
    """What is transparent becomes white."""
    picture = Image.open(io.BytesIO(data)).convert("RGBA")
    white = Image.new("RGBA", picture.size, "white")
    picture = Image.alpha_composite(white, picture).convert("RGB")
    picture.thumbnail((LONGEST_SIDE, LONGEST_SIDE), Image.Resampling.LANCZOS)
    output = io.BytesIO()
    picture.save(output, "JPEG", quality=QUALITY, subsampling=0)
    return output.getvalue()


def write(path, data):
    with open(path + ".part", "wb") as file:
        file.write(data)
    os.replace(path + ".part", path)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("list", help="a table with the columns file, package, version, path, and sha256")
    parser.add_argument("directory", help="where the pictures go; other JPEGs in it are removed")
    arguments = parser.parse_args()
    with open(arguments.list, newline="", encoding="utf-8") as file:
        rows = list(csv.DictReader(file, delimiter="\t", quoting=csv.QUOTE_NONE))
    os.makedirs(arguments.directory, exist_ok=True)
    for name in set(os.listdir(arguments.directory)) - {row["file"] for row in rows}:
        if name.endswith((".jpg", ".part")):
            os.remove(os.path.join(arguments.directory, name))
    for name in sorted({row["package"] for row in rows}):
        of_package = [row for row in rows if row["package"] == name]
        with tempfile.TemporaryDirectory() as directory:
            package = Package(name, of_package[0]["version"], directory)
            for row in of_package:
                write(os.path.join(arguments.directory, row["file"]), jpeg(package.read(row["path"], row["sha256"])))
        print(f"{name} {package.version}: {len(of_package)} pictures", file=sys.stderr)


if __name__ == "__main__":
    main()
