"""Every flight that left New York in 2013, out of a legacy SQLite file into a new database.

`prepare.py` makes the legacy file and the empty new one; README.md tells how to go on from there.
"""

from datetime import datetime, timedelta

from milepost import Migration, Reject, Table

flights = Migration("flights", source="sqlite:///legacy.db", target="sqlite:///flights.db", max_rejects="20%")


def known(value):
    """The old system writes NA, in columns of text and of numbers, where it knows nothing."""
    return None if value in ("NA", "") else value


airline = flights.object(
    "airline",
    source=Table("airlines", key="carrier"),
    target=Table("airline", key="carrier"),
)


@flights.object(source=Table("airports", key="faa"), target=Table("airport", key="faa"))
def airport(row):
    return {
        "faa": row["faa"],
        "name": row["name"],
        "latitude": row["lat"],
        "longitude": row["lon"],
        "altitude_feet": row["alt"],
        "time_zone": known(row["tzone"]),
    }


@flights.object(source=Table("planes", key="tailnum"), target=Table("plane", key="tailnum"))
def plane(row):
    return {
        "tailnum": row["tailnum"],
        "built": known(row["year"]),
        "manufacturer": row["manufacturer"],
        "model": row["model"],
        "engines": row["engines"],
        "seats": row["seats"],
    }


@flights.object(
    # the local year, month, day and hour meet twice in the night when the clocks go back; time_hour does not
    source=Table("weather", key=("origin", "time_hour")),
    target=Table("weather", key=("airport", "measured_at")),
    parents={"airport": airport},
)
def weather(row):
    if known(row["temp"]) is None:
        raise Reject("no temperature was measured")
    return {
        "airport": row["origin"],
        "measured_at": datetime.fromisoformat(row["time_hour"]),
        "fahrenheit": row["temp"],
        "humidity": known(row["humid"]),
        "wind_speed": known(row["wind_speed"]),
        "pressure": known(row["pressure"]),
    }


@flights.object(
    source=Table("flights", key=("time_hour", "carrier", "flight")),
    target=Table("flight", key=("time_hour", "carrier", "flight")),
    parents={"carrier": airline, "tailnum": plane, "origin": airport, "dest": airport},
)
def flight(row):
    time_hour = datetime.fromisoformat(row["time_hour"])
    scheduled = time_hour + timedelta(minutes=row["minute"])
    delay = known(row["dep_delay"])
    return {
        "time_hour": time_hour,
        "carrier": row["carrier"],
        "flight": row["flight"],
        "tailnum": known(row["tailnum"]),
        "origin": row["origin"],
        "dest": row["dest"],
        "scheduled_at": scheduled,
        "departed_at": None if delay is None else scheduled + timedelta(minutes=delay),  # None: it was cancelled
        "arrival_delay": known(row["arr_delay"]),
        "miles": row["distance"],
    }


if __name__ == "__main__":
    flights.run()
