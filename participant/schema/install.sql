-- Installs what one Assent agent needs in one PostgreSQL database. Run it once in each participant's
-- database, as a superuser or as a role with CREATEROLE that owns the database:
--
--   psql -X -d orders -f install.sql
--   psql -X -d orders -v control_role=orders_agent -v work_role=orders_work -f install.sql
--
-- It grants what is listed here, and nothing else:
--
--   the two login roles themselves (CREATE ROLE ... LOGIN), CONNECT on this database for both;
--   membership of the control role in the work role;
--   the schema assent, owned by the control role; the work role may read assent.epoch,
--   assent.landmark, assent.branch_outcome and assent.branch_outcome_floor, and execute
--   assent.record_commit and assent.record_branch, which only the agent can use;
--   EXECUTE on pg_control_system() and pg_control_checkpoint() for both, and on
--   pg_logical_emit_message() for the control role.
--
-- It may be run again: it changes nothing that is right already. It creates no superuser and gives
-- no role a right over your own tables: GRANT those to the work role yourself, as far as client SQL
-- shall go, for example
--
--   GRANT SELECT, INSERT, UPDATE, DELETE ON accounts TO assent_work;
--
-- The two login roles are the agent's alone. An agent that starts ends every other connection of
-- these roles in its database: that is how it knows that no older agent prepares anything any more.
-- Two participants in one PostgreSQL server should have roles of their own. The roles get no
-- password: the agent connects over the unix socket, so let pg_hba.conf admit them there (for
-- example by `peer` with a map, or by `scram-sha-256` with ALTER ROLE ... PASSWORD and a PGPASSFILE).

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

-- The control role: the agent's own work. It owns the schema, and nothing else.
SELECT format('CREATE ROLE %I LOGIN', :'control_role')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'control_role')
\gexec

-- The work role: runs client SQL, and prepares, commits and rolls back the branches, because
-- PostgreSQL lets only the role that prepared a transaction end it.
SELECT format('CREATE ROLE %I LOGIN', :'work_role')
 WHERE NOT EXISTS (SELECT FROM pg_roles WHERE rolname = :'work_role')
\gexec

-- PostgreSQL lets a member of a role see and end that role's connections: this is how the agent
-- cancels a statement and proves a lost connection dead, with neither superuser rights nor
-- pg_signal_backend, which would reach everybody's connections.
GRANT :"work_role" TO :"control_role";

SELECT format('GRANT CONNECT ON DATABASE %I TO %I, %I',
              current_database(), :'control_role', :'work_role')
\gexec

-- The schema is the control role's. What is in it stands in schema.sql, which an agent brings up to
-- date itself when it starts.
SELECT format('CREATE SCHEMA assent AUTHORIZATION %I', :'control_role')
 WHERE to_regnamespace('assent') IS NULL
\gexec
SELECT format('GRANT %I TO CURRENT_USER', :'control_role')
 WHERE NOT pg_has_role(:'control_role', 'MEMBER')
\gexec
SET LOCAL ROLE :"control_role";
\ir schema.sql
RESET ROLE;

-- Everybody may run these unless somebody has revoked it. They tell which server this is and from
-- where it would recover, and write the empty record whose durability stands for that of everything
-- before it.
GRANT EXECUTE ON FUNCTION pg_catalog.pg_control_system(), pg_catalog.pg_control_checkpoint()
  TO :"control_role", :"work_role";
GRANT EXECUTE ON FUNCTION pg_catalog.pg_logical_emit_message(boolean, text, text)
  TO :"control_role";

COMMIT;

SELECT CASE WHEN setting::int = 0 THEN
         'max_prepared_transactions is 0: set it, 100 for example, and restart PostgreSQL'
       ELSE 'assent is installed; max_prepared_transactions is ' || setting END AS result
  FROM pg_settings WHERE name = 'max_prepared_transactions';
