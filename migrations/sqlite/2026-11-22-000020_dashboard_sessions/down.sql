drop table dashboard_sessions;
