-- The labels of operations that there were already. They are held meanwhile, so that none is removed before its labels
-- are there to go with it; a few at a time, because whoever writes them waits.
WITH span AS MATERIALIZED (
    SELECT o.uid FROM {schema}.operation AS o WHERE o.uid > $1::uuid ORDER BY o.uid LIMIT 5000
), held AS MATERIALIZED (
    SELECT o.uid, o.parent, o.create_time, o.labels FROM {schema}.operation AS o
    WHERE o.uid = ANY(ARRAY(SELECT uid FROM span)) AND o.labels IS NOT NULL
    FOR KEY SHARE
), filled AS (
    INSERT INTO {schema}.label (parent, key, value, create_time, uid)
        SELECT h.parent, e.key, e.value, h.create_time, h.uid
        FROM held AS h, {schema}.label_entries(h.labels) AS e
        ON CONFLICT DO NOTHING
)
SELECT uid FROM span ORDER BY uid DESC LIMIT 1
