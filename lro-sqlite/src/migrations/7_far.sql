-- Whether the operation is far: it is pending, and ready later than an hour after its creation. An operation that waits for
-- a promise is far for ever.
ALTER TABLE operation ADD COLUMN far INTEGER NOT NULL DEFAULT 0;

UPDATE operation INDEXED BY operation_unfinished SET far = 1
    WHERE end_time IS NULL AND state = 0 AND ready_time > create_time + 3600000000;

-- In two parts: recovery reads the one of near operations, and lists read both.
DROP INDEX operation_unfinished;

CREATE INDEX operation_unfinished
    ON operation (far, parent, method, state, delete_time, create_time, uid, end_time)
    WHERE end_time IS NULL;

-- Far operations in the order in which the schedule in memory comes to them. Those that only a call wakes are at the largest
-- time that there is, and in no index of times. It holds every column that the schedule needs, so that it leaves rows alone.
CREATE INDEX operation_timer ON operation (ready_time, uid, method, losses, far, end_time)
    WHERE far = 1 AND end_time IS NULL AND ready_time < 253402300799999999;
