-- One database and one role per service; no role may connect to another's database.
-- Run once by psql, as the superuser; the passwords come from the environment.
\set ON_ERROR_STOP on
\getenv registration_password REGISTRATION_PASSWORD
\getenv coverage_password COVERAGE_PASSWORD
\getenv notifier_password NOTIFIER_PASSWORD

CREATE ROLE dealreg_registration LOGIN PASSWORD :'registration_password';
CREATE DATABASE dealreg_registration OWNER dealreg_registration;
REVOKE ALL ON DATABASE dealreg_registration FROM PUBLIC;

CREATE ROLE dealreg_coverage LOGIN PASSWORD :'coverage_password';
CREATE DATABASE dealreg_coverage OWNER dealreg_coverage;
REVOKE ALL ON DATABASE dealreg_coverage FROM PUBLIC;

CREATE ROLE dealreg_notifier LOGIN PASSWORD :'notifier_password';
CREATE DATABASE dealreg_notifier OWNER dealreg_notifier;
REVOKE ALL ON DATABASE dealreg_notifier FROM PUBLIC;
