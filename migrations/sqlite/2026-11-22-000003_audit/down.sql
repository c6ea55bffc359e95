drop table audit_log;
drop table audit_horizon;
