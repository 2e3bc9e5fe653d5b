-- The tables and functions of the schema assent, made by the role that owns it. install.sql runs
-- this file, and an agent that finds an older version does so itself, in its control role; it needs
-- no right beyond owning the schema. Everything here may be run again.
--
-- The only thing to fill in is the name of the work role, where psql's variable "work_role" stands.

-- Who serves: one row, written only by an agent that starts. Every connection of the agent reads it
-- first, and is given up when a newer agent stands there.
CREATE TABLE IF NOT EXISTS assent.epoch (
  one_row     boolean     PRIMARY KEY DEFAULT true CHECK (one_row),
  epoch       bigint      NOT NULL CHECK (epoch >= 0),  -- of the agent's life; 0: none ever
  cluster     text,                                     -- NULL until an agent has served
  participant text,                                     -- this database's name in the cluster
  claimed_at  timestamptz
);
ALTER TABLE assent.epoch ADD COLUMN IF NOT EXISTS outcome_key bytea;  -- SHA-256 of the life's key
INSERT INTO assent.epoch (epoch) VALUES (0) ON CONFLICT DO NOTHING;

-- Outcomes of transactions that may have committed in one phase. A commit inserts its row in its own
-- transaction, so the row is there exactly when the transaction is; an abort inserts one so that no
-- commit can follow. The primary key lets one of the two stand. The agent deletes old rows.
CREATE TABLE IF NOT EXISTS assent.outcome (
  transaction text        COLLATE "C" PRIMARY KEY,  -- its id, which begins with its time
  committed   boolean     NOT NULL,
  decided_at  timestamptz NOT NULL DEFAULT now()
);

-- How far each life of an agent is known to have come: one row, written by that life alone. The row
-- is behind its position in the WAL, so a server that has the row has all WAL up to there, be it a
-- promoted standby or restored from a copy.
CREATE TABLE IF NOT EXISTS assent.landmark (
  epoch          bigint  PRIMARY KEY,  -- of the life
  wal_position   pg_lsn  NOT NULL,
  timeline       integer NOT NULL,
  server_started text    NOT NULL      -- when the server was started that had it written
);
-- True: every branch that this life prepared writes its row of assent.branch_outcome.
ALTER TABLE assent.landmark ADD COLUMN IF NOT EXISTS outcome_rows boolean NOT NULL DEFAULT false;
-- Where a promoted standby left the timeline of that life, written by the first agent that came to
-- it. NULL: none was promoted, or nobody could tell.
ALTER TABLE assent.landmark ADD COLUMN IF NOT EXISTS left_at pg_lsn;

-- Prepared branches that have committed here, where the agent is configured to have them write it
-- (postgres.outcome_row). A branch inserts its row in its own transaction before it is prepared, so
-- the row is seen exactly when the branch is committed in the history that answers. The agent
-- deletes old rows.
CREATE TABLE IF NOT EXISTS assent.branch_outcome (
  branch text COLLATE "C" PRIMARY KEY  -- its id, which begins with its transaction's time
);

-- Rows of branches before this one may have been deleted: their absence says nothing.
CREATE TABLE IF NOT EXISTS assent.branch_outcome_floor (
  one_row boolean PRIMARY KEY DEFAULT true CHECK (one_row),
  dropped text    COLLATE "C" NOT NULL
);

-- The only way in which a branch, which runs in the work role, writes its row. Client SQL runs in
-- that role too, and does not know the key.
CREATE OR REPLACE FUNCTION assent.record_commit(transaction text, key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  IF NOT EXISTS (SELECT FROM assent.epoch e
                  WHERE e.outcome_key = sha256(convert_to(record_commit.key, 'UTF8'))) THEN
    RAISE EXCEPTION 'only the agent that serves this database records outcomes'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO assent.outcome (transaction, committed) VALUES (record_commit.transaction, true);
END
$function$;

-- The same for a branch that is about to be prepared.
CREATE OR REPLACE FUNCTION assent.record_branch(branch text, key text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $function$
BEGIN
  IF NOT EXISTS (SELECT FROM assent.epoch e
                  WHERE e.outcome_key = sha256(convert_to(record_branch.key, 'UTF8'))) THEN
    RAISE EXCEPTION 'only the agent that serves this database records outcomes'
      USING ERRCODE = 'insufficient_privilege';
  END IF;
  INSERT INTO assent.branch_outcome VALUES (record_branch.branch);
END
$function$;

-- Client SQL may read the epoch, the landmarks and the branches' outcomes, which the agent's
-- connections must do, and may change nothing in the schema.
REVOKE ALL ON SCHEMA assent FROM PUBLIC, :"work_role";
REVOKE ALL ON assent.epoch, assent.outcome, assent.landmark, assent.branch_outcome,
  assent.branch_outcome_floor FROM PUBLIC, :"work_role";
REVOKE ALL ON FUNCTION assent.record_commit(text, text), assent.record_branch(text, text)
  FROM PUBLIC;
GRANT USAGE ON SCHEMA assent TO :"work_role";
GRANT SELECT ON assent.epoch, assent.landmark, assent.branch_outcome, assent.branch_outcome_floor
  TO :"work_role";
GRANT EXECUTE ON FUNCTION assent.record_commit(text, text), assent.record_branch(text, text)
  TO :"work_role";

-- Last, so that it stands only when all of the above does.
CREATE OR REPLACE FUNCTION assent.schema_version() RETURNS integer
LANGUAGE sql IMMUTABLE AS 'SELECT 5';
