drop table tenant_limits;
