-- The ledger's tables; results.duckdb holds the same ones and the views made by views.py.
-- Times are UTC. `epoch` counts from 0, the initialization; NULL where a row belongs to no epoch.

CREATE TABLE ledger_version (
    program VARCHAR NOT NULL,
    schema_version INTEGER NOT NULL
);

-- One row a study and variant of it; `document` is the YAML that was read, `file` its place as seen from the workspace; NULL
-- if it came from elsewhere.
CREATE TABLE study (
    name VARCHAR,
    variant VARCHAR,
    title VARCHAR,
    document VARCHAR,
    file VARCHAR,
    PRIMARY KEY (name, variant)
);

-- `spec` is complete, defaults included; `source` is the identity of the data behind it. Runs of one `setting_id` differ in
-- their seed alone; it is NULL for a run of an earlier linstudy until its study is run again.
CREATE TABLE run (
    run_id VARCHAR PRIMARY KEY,
    kind VARCHAR NOT NULL,
    spec JSON NOT NULL,
    source VARCHAR,
    setting_id VARCHAR
);

-- The points of each study, in its order.
CREATE TABLE study_run (
    study VARCHAR,
    variant VARCHAR,
    run_id VARCHAR,
    position INTEGER NOT NULL,
    PRIMARY KEY (study, variant, run_id)
);

-- `run_id` needs the results of `needs`.
CREATE TABLE dependency (
    run_id VARCHAR,
    role VARCHAR,
    needs VARCHAR,
    PRIMARY KEY (run_id, role, needs)
);

-- One row a try. A run's status is that of its last attempt, or 'planned'. Attempts that one worker was given at once share
-- a `fused_group`, and their times are the group's. `fingerprint` is that of the arrays it loaded; `methods` maps what it
-- could compute in several ways to the way that it took. `log` is what it printed, relative to the workspace; `notices` are
-- warnings about the result. `code` maps names of what its commit does not tell, such as "changes" and "packages", to texts in
-- the table `code`; null for one that is too long to be kept.
CREATE TABLE attempt (
    attempt_id BIGINT PRIMARY KEY,
    run_id VARCHAR NOT NULL,
    status VARCHAR NOT NULL CHECK (status IN ('running', 'done', 'failed', 'interrupted', 'diverged')),
    started TIMESTAMP NOT NULL,
    finished TIMESTAMP,
    host VARCHAR,
    device VARCHAR,
    fused_group VARCHAR,
    versions JSON,
    git_commit VARCHAR,
    dirty BOOLEAN,
    fingerprint VARCHAR,
    error VARCHAR,
    traceback VARCHAR,
    methods JSON,
    log VARCHAR,
    notices VARCHAR[],
    code JSON
);

-- Texts that attempts name, each once.
CREATE TABLE code (
    sha256 VARCHAR PRIMARY KEY,
    content VARCHAR NOT NULL
);

-- What people wrote about a run, whose id is the `subject`, or a study: a remark, or a tag, which is one word.
CREATE TABLE note (
    subject VARCHAR,
    is_tag BOOLEAN,
    text VARCHAR,
    written TIMESTAMP NOT NULL,
    PRIMARY KEY (subject, is_tag, text)
);

-- `path` is relative to the workspace.
CREATE TABLE artifact (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    path VARCHAR NOT NULL,
    sha256 VARCHAR NOT NULL,
    bytes BIGINT NOT NULL,
    epoch BIGINT
);

CREATE TABLE metric_def (
    name VARCHAR PRIMARY KEY,
    unit VARCHAR NOT NULL,
    shape VARCHAR NOT NULL,
    meaning VARCHAR NOT NULL
);

-- No key: it would nearly double the file. NULL is a number that was not finite.
CREATE TABLE metric (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    epoch BIGINT,
    step BIGINT,
    value DOUBLE CHECK (isfinite(value))
);

-- An entry that is not finite is NULL.
CREATE TABLE vector (
    run_id VARCHAR NOT NULL,
    name VARCHAR NOT NULL,
    label VARCHAR NOT NULL,
    split VARCHAR NOT NULL,
    epoch BIGINT,
    value DOUBLE[] NOT NULL CHECK (isfinite(list_min(value)) AND isfinite(list_max(value)))
);
