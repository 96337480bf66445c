"""The utility's side of OpenADR 2.0b over HTTP pull: events, reports, opts and registrations of many VENs."""
