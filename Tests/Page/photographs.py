"""Pictures on which one can see whether a heat map is right."""

import pathlib

from PIL import Image

PHOTOS = pathlib.Path(__file__).parent.parent / "Fixtures" / "photo"
CAT, COFFEE = PHOTOS / "chelsea.jpg", PHOTOS / "coffee.jpg"


def cat_over_coffee(path, turned=False):
    """A cat in the upper half, a cup of espresso in the lower one; if wished lying, with an EXIF tag that turns it."""
    cat = Image.open(CAT).resize((450, 300)).crop((0, 10, 450, 235))
    coffee = Image.open(COFFEE).crop((0, 60, 450, 285))
    picture = Image.new("RGB", (450, 450))
    picture.paste(cat, (0, 0))
    picture.paste(coffee, (0, 225))
    exif = Image.Exif()
    if turned:
        # Who turns it to the right again has it upright.
        picture = picture.transpose(Image.Transpose.ROTATE_90)
        exif[0x0112] = 6
    picture.save(path, quality=90, exif=exif)
    return path


def unreadable(directory):
    """Files that are refused, each in another way: status and file."""
    text = directory / "notes.jpg"
    text.write_text("no picture at all")
    cut = directory / "cut.jpg"
    cut.write_bytes(CAT.read_bytes()[:15_000])
    long = directory / "long.jpg"
    long.write_bytes(CAT.read_bytes() + bytes(900_000))
    return {415: text, 422: cut, 413: long}
