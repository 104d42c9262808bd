mod fixtures;
mod resume;
mod round_trip;
mod source_changes;
mod stopping;
mod verify;
