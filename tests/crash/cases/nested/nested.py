"""A job that uses all that checkpoints have: steps in steps, positions, values made once, batches, transactions,
rollbacks, results. Each of its effects is safe to be cut off anywhere."""

import secrets
from pathlib import Path

from milepost import Job

REGIONS = ("EMEA", "APAC")
ITEMS = 5

job = Job("nested")


@job.step
def token(cp):
    """A value that is another one each time it is made."""
    return cp.once("token", lambda: secrets.token_hex(8))


@job.step
def load(cp, region):
    """Rows that commit with the position."""
    for item in range(cp.position or 0, ITEMS):
        with cp.transaction() as connection:
            connection.execute("CREATE TABLE IF NOT EXISTS loaded (region TEXT, item INTEGER)")
            connection.execute(f"INSERT INTO loaded VALUES ('{region}', {item})")
            cp.save(item + 1)
    return ITEMS


@job.step
def send(cp, region):
    """Batches to somebody who knows what he has already."""
    for batch in cp.each(range(cp.position or 0, ITEMS), size=2, position=lambda last: last + 1):
        Path(f"sent-{region}-{batch[0]}").write_text(" ".join(map(str, batch)))


@job.step
def sheet(cp, book, number):
    """A part of the book; itself rolled back where it was begun."""
    Path(f"sheet-{number}").touch(exist_ok=False)
    with Path(book).open("a") as file:
        file.write(f"sheet {number}\n")
    return number


@sheet.rollback
def tear_out(cp, book, number):
    file = Path(book)
    lines = file.read_text().splitlines(keepends=True) if file.exists() else []
    Path(f"{book}.new").write_text("".join(line for line in lines if line != f"sheet {number}\n"))
    Path(f"{book}.new").replace(file)
    Path(f"sheet-{number}").unlink(missing_ok=True)


@job.step
def convert(cp, book):
    """A file that must not be there when it begins."""
    Path(book).touch(exist_ok=False)
    cp.save("begun")
    cp.once("cover", lambda: Path("cover").write_text(f"cover of {book}\n"))
    return [sheet(book, number) for number in range(3)]


@convert.rollback
def burn(cp, book):
    for file in [*Path().glob("sheet-*"), *Path().glob(f"{book}*"), Path("cover")]:
        file.unlink(missing_ok=True)


@job.step
def close(cp, month):
    return [[load(region), send(region)] for region in REGIONS]


@job.main
def main():
    first = token()
    converted, closed = convert("book"), close("2026-10")
    Path("token").write_text("the same" if first == token() else "another")
    return [converted, closed]
