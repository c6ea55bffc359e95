alter table agents drop column session;
