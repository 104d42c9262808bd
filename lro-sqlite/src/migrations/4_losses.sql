-- How often in a row the worker was lost while the body ran.
ALTER TABLE operation ADD COLUMN losses INTEGER NOT NULL DEFAULT 0;
