-- Takes away what install.sql made in this database. Stop the agent first.
--
--   psql -X -d orders -f uninstall.sql
--   psql -X -d orders -v drop_roles=1 -f uninstall.sql     the two login roles as well
--
-- Roles belong to the whole server: drop them only when no other database's agent uses them. It
-- refuses while the agent left transactions prepared here: their outcome is known to the coordinator
-- alone (assentctl scan), and without the agent nobody would carry it out.

\set ON_ERROR_STOP on
\if :{?control_role}
\else
  \set control_role assent_agent
\endif
\if :{?work_role}
\else
  \set work_role assent_work
\endif

BEGIN;

DO $$
BEGIN
  IF EXISTS (SELECT FROM pg_prepared_xacts
              WHERE database = current_database() AND gid LIKE 'assent:%') THEN
    RAISE EXCEPTION 'transactions of assent are prepared in database %', current_database()
      USING HINT = 'SELECT gid FROM pg_prepared_xacts; then let the agent finish them.';
  END IF;
END $$;

DROP SCHEMA IF EXISTS assent CASCADE;

-- What DROP ROLE would otherwise stop at: the grants in this database, and the one on it.
SELECT format('REVOKE ALL ON DATABASE %I FROM %I', current_database(), rolname)
  FROM pg_roles WHERE rolname IN (:'control_role', :'work_role')
\gexec
SELECT format('REVOKE EXECUTE ON FUNCTION pg_catalog.pg_control_system(),'
              ' pg_catalog.pg_control_checkpoint() FROM %I', rolname)
  FROM pg_roles WHERE rolname IN (:'control_role', :'work_role')
\gexec
SELECT format('REVOKE EXECUTE ON FUNCTION'
              ' pg_catalog.pg_logical_emit_message(boolean, text, text) FROM %I', rolname)
  FROM pg_roles WHERE rolname IN (:'control_role', :'work_role')
\gexec

\if :{?drop_roles}
  DROP ROLE IF EXISTS :"control_role";
  DROP ROLE IF EXISTS :"work_role";
\endif

COMMIT;
