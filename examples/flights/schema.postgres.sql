CREATE TABLE airline (
    carrier text PRIMARY KEY,
    name    text NOT NULL
);

CREATE TABLE airport (
    faa           text PRIMARY KEY,
    name          text NOT NULL,
    latitude      double precision NOT NULL,
    longitude     double precision NOT NULL,
    altitude_feet integer NOT NULL,
    time_zone     text
);

CREATE TABLE plane (
    tailnum      text PRIMARY KEY,
    built        smallint,
    manufacturer text NOT NULL,
    model        text NOT NULL,
    engines      smallint NOT NULL,
    seats        smallint NOT NULL
);

CREATE TABLE weather (
    airport     text NOT NULL REFERENCES airport (faa),
    measured_at timestamptz NOT NULL,
    fahrenheit  double precision NOT NULL,
    humidity    double precision,
    wind_speed  double precision,
    pressure    double precision,
    PRIMARY KEY (airport, measured_at)
);

CREATE TABLE flight (
    time_hour     timestamptz NOT NULL,
    carrier       text NOT NULL REFERENCES airline (carrier),
    flight        integer NOT NULL,
    tailnum       text REFERENCES plane (tailnum),
    origin        text NOT NULL REFERENCES airport (faa),
    dest          text NOT NULL REFERENCES airport (faa),
    scheduled_at  timestamptz NOT NULL,
    departed_at   timestamptz,
    arrival_delay integer,
    miles         integer NOT NULL,
    PRIMARY KEY (time_hour, carrier, flight)
);
