drop table audit_log;
drop function audit_log_append_only();
drop table audit_horizon;
