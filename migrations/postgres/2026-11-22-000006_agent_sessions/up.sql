-- One more with every registration, and whenever the agent leaves: calls for work from before are given nothing.
alter table agents add column session bigint not null default 1;
