"""Draws made-up letters as scans: clean, and as bad scanners and cameras make them."""

import io
import random
import zlib

from PIL import Image, ImageDraw, ImageFilter, ImageFont

# A4 at 150 dots an inch.
SIZE = (1240, 1754)
FONT = 24


def page(text: str) -> Image.Image:
    """A clean page."""
    image = Image.new("L", SIZE, 255)
    draw, font = ImageDraw.Draw(image), ImageFont.load_default(FONT)
    for number, line in enumerate(text.splitlines()):
        draw.text((110, 110 + number * FONT * 1.6), line, fill=0, font=font)
    return image


def noisy(image: Image.Image, seed: int) -> Image.Image:
    """A page a little askew, with a grey shade and specks, as a worn scanner gives it."""
    chance = random.Random(seed)
    image = image.rotate(chance.uniform(-1.3, 1.3), fillcolor=240, resample=Image.Resampling.BICUBIC)
    noise = Image.frombytes("L", SIZE, chance.randbytes(SIZE[0] * SIZE[1])).filter(ImageFilter.BoxBlur(1))
    shade = Image.linear_gradient("L").resize(SIZE).point(lambda value: 160 + value // 3)
    return Image.blend(Image.blend(image, shade, 0.25), noise, 0.3)


def coarse(image: Image.Image) -> Image.Image:
    """A page with few dots an inch, as a fax gives it."""
    small = image.resize((SIZE[0] * 11 // 20, SIZE[1] * 11 // 20), Image.Resampling.BILINEAR)
    return small.filter(ImageFilter.GaussianBlur(0.5))


def saved(image: Image.Image, form: str, **options) -> bytes:
    """The bytes of a picture, or of pages."""
    out = io.BytesIO()
    image.save(out, form, **options)
    return out.getvalue()


def pdf(objects: list[bytes]) -> bytes:
    """A PDF of objects, the first of which is its catalogue."""
    out, places = bytearray(b"%PDF-1.7\n"), []
    for number, body in enumerate(objects, 1):
        places.append(len(out))
        out += b"%d 0 obj\n" % number + body + b"\nendobj\n"
    table = len(out)
    out += b"xref\n0 %d\n0000000000 65535 f \n" % (len(objects) + 1)
    out += b"".join(b"%010d 00000 n \n" % place for place in places)
    return bytes(out + b"trailer\n<</Size %d/Root 1 0 R>>\nstartxref\n%d\n%%%%EOF\n" % (len(objects) + 1, table))


def stream(head: bytes, content: bytes) -> bytes:
    """An object with packed content."""
    return b"<<%s/Length %d>>stream\n" % (head, len(content)) + content + b"\nendstream"


def one_page(content: bytes, resources: bytes = b"", *more: bytes) -> bytes:
    """A PDF of one page."""
    leaf = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R/Resources<<%s>>>>" % resources
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", leaf, content, *more])


def strokes() -> bytes:
    """A stream of 144 MB of strokes."""
    return one_page(stream(b"/Filter/FlateDecode", zlib.compress(b"0 0 m 595 842 l 595 0 l 0 842 l h B\n" * 4_000_000, 9)))


def large_picture() -> bytes:
    """A picture of 400 MB in a PDF of 400 KB."""
    size = b"/Type/XObject/Subtype/Image/Width 20000/Height 20000/ColorSpace/DeviceGray/BitsPerComponent 8/Filter/FlateDecode"
    zeros = zlib.compress(bytes(400_000_000), 9)
    return one_page(stream(b"", b"595 0 0 842 0 0 cm /I Do"), b"/XObject<</I 5 0 R>>", stream(size, zeros))


def endless_form() -> bytes:
    """A form that draws itself."""
    head = b"/Type/XObject/Subtype/Form/BBox[0 0 9 9]/Resources<</XObject<</F 5 0 R>>>>"
    return one_page(stream(b"", b"/F Do"), b"/XObject<</F 5 0 R>>", stream(head, b"/F Do /F Do"))


def many_pages() -> bytes:
    """5000 pages."""
    many = b"<</Type/Pages/Kids[%s]/Count 5000>>" % (b"3 0 R " * 5000)
    leaf = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 595 842]/Contents 4 0 R>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", many, leaf, stream(b"", b"")])


def huge_page() -> bytes:
    """A page of five kilometres."""
    huge = b"<</Type/Page/Parent 2 0 R/MediaBox[0 0 14400 14400]/UserUnit 1000/Contents 4 0 R/Resources<<>>>>"
    return pdf([b"<</Type/Catalog/Pages 2 0 R>>", b"<</Type/Pages/Kids[3 0 R]/Count 1>>", huge, stream(b"", b"")])


def large_png() -> bytes:
    """A PNG of 30000 by 30000."""
    return saved(Image.new("L", (30_000, 30_000), 255), "PNG")


def large_tiff() -> bytes:
    """A TIFF of 16000 by 16000."""
    return saved(Image.new("RGB", (16_000, 16_000)), "TIFF", compression="tiff_deflate")


# PDFs and pictures that are small and need much memory, much time, or both.
BOMBS = [strokes, large_picture, endless_form, many_pages, huge_page, large_png, large_tiff]
