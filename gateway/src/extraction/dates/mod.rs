mod calendar; mod context; mod expressions; mod resolve; mod stated_date;
