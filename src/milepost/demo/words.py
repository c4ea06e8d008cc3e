"""Names, places and goods that the legacy company is made of; some of them are hard on a careless program."""

from __future__ import annotations

FIRST_NAMES = (
    "Anna", "Bruno", "Chiara", "Daniel", "Elif", "Farid", "Greta", "Henrik", "Ines", "Jonas", "Katarzyna", "Liam",
    "Maria", "Noah", "Olga", "Pedro", "Quentin", "Rosa", "Samuel", "Teresa", "Umberto", "Vera", "William", "Yusuf",
)  # fmt: skip

LAST_NAMES = (
    "Almeida", "Berger", "Costa", "Dubois", "Eriksen", "Ferrari", "Garcia", "Hansen", "Ivanova", "Jensen", "Kowalski",
    "Lindqvist", "Meyer", "Novak", "O'Brien", "Petrov", "Quinn", "Rossi", "Smith", "Tanaka", "Ueda", "Virtanen",
    "Weber", "Yilmaz", "Zimmermann",
)  # fmt: skip

COMPANIES = ("Trading", "Brothers", "& Sons", "GmbH", "Ltd", "S.A.", "Logistics", "Imports", "Foods", "Textiles")

COUNTRIES = ("DE", "DE", "DE", "US", "US", "FR", "GB", "IT", "ES", "PL", "SE", "JP", "TR", "IL")

# Each breaks something that treats text as bytes, counts code points, or folds what it should leave alone.
ODD_NAMES = (
    "Zoe\u0308 Mu\u0308ller",  # combining marks: not equal to the composed letters
    "Zo\u00eb M\u00fcller",
    "\U0001f980 Crab Shack \U0001f1e9\U0001f1f0",  # beyond the basic plane; a flag of two code points
    "The \U0001f468\u200d\U0001f469\u200d\U0001f467 Store",  # one picture of five code points
    "\u05d3\u05d5\u05d3 \u05dc\u05d5\u05d9",  # right to left
    "\u0634\u0631\u0643\u0629 \u0627\u0644\u062a\u062c\u0627\u0631\u0629",
    "\u682a\u5f0f\u4f1a\u793e\u7530\u4e2d",
    "\u0130stanbul \u0130thalat",  # its small letters are more code points than its capitals
    "Stra\u00dfenb\u00e4ckerei Gro\u00df",
    "Robert'); DROP TABLE invoices;--",
    'Quote " and, comma;\\backslash',
    "line\nbreak & Co",
)

ARTICLES = (
    "Olive oil 1 l", "Green tea 250 g", "Basmati rice 5 kg", "Cotton shirt", "Wool blanket", "Oak chair", "Steel pan",
    "Copper wire 50 m", "LED lamp", "Garden hose", "Paper A4", "Ink black", "Coffee beans 1 kg", "Dates 500 g",
    "Ceramic bowl", "Bicycle tyre",
)  # fmt: skip

REMARKS = ("Thank you for your order!", "*** partial delivery ***", "Merry Christmas \U0001f384")
