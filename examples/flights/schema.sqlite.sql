CREATE TABLE airline (
    carrier TEXT PRIMARY KEY NOT NULL,
    name    TEXT NOT NULL
);

CREATE TABLE airport (
    faa           TEXT PRIMARY KEY NOT NULL,
    name          TEXT NOT NULL,
    latitude      REAL NOT NULL,
    longitude     REAL NOT NULL,
    altitude_feet INTEGER NOT NULL,
    time_zone     TEXT
);

CREATE TABLE plane (
    tailnum      TEXT PRIMARY KEY NOT NULL,
    built        INTEGER,
    manufacturer TEXT NOT NULL,
    model        TEXT NOT NULL,
    engines      INTEGER NOT NULL,
    seats        INTEGER NOT NULL
);

CREATE TABLE weather (
    airport     TEXT NOT NULL REFERENCES airport (faa),
    measured_at TEXT NOT NULL,  -- ISO 8601 with its zone
    fahrenheit  REAL NOT NULL,
    humidity    REAL,
    wind_speed  REAL,
    pressure    REAL,
    PRIMARY KEY (airport, measured_at)
);

CREATE TABLE flight (
    time_hour     TEXT NOT NULL,  -- ISO 8601 with its zone, like all times here
    carrier       TEXT NOT NULL REFERENCES airline (carrier),
    flight        INTEGER NOT NULL,
    tailnum       TEXT REFERENCES plane (tailnum),
    origin        TEXT NOT NULL REFERENCES airport (faa),
    dest          TEXT NOT NULL REFERENCES airport (faa),
    scheduled_at  TEXT NOT NULL,
    departed_at   TEXT,
    arrival_delay INTEGER,
    miles         INTEGER NOT NULL,
    PRIMARY KEY (time_hour, carrier, flight)
);
