-- https://docs.aws.amazon.com/athena/latest/ug/querying-glue-catalog.html

-- Databases
SELECT * FROM information_schema.schemata WHERE schema_name <> 'information_schema';
--> catalog_name varchar, schema_name varchar
--> "awsdatacatalog","workshop"

-- Tables and views
SELECT * FROM information_schema.tables WHERE table_schema = 'workshop' ORDER BY table_name;
--> table_catalog varchar, table_schema varchar, table_name varchar, table_type varchar
--> "awsdatacatalog","workshop","quarantine","BASE TABLE"
--> "awsdatacatalog","workshop","stock_events","BASE TABLE"
--> "awsdatacatalog","workshop","unique_events","VIEW"

-- Of the engine itself there is nothing
SELECT table_schema, count(*) AS tables FROM information_schema.tables GROUP BY 1 ORDER BY 1;
--> table_schema varchar, tables bigint
--> "information_schema","4"
--> "workshop","3"

-- Columns, the partition keys last
SELECT * FROM awsdatacatalog.information_schema.columns WHERE table_schema = 'workshop' AND table_name = 'quarantine' AND column_name IN ('position', 'received_at', 'dt') ORDER BY ordinal_position;
--> table_catalog varchar, table_schema varchar, table_name varchar, column_name varchar, ordinal_position bigint, column_default varchar, is_nullable varchar, data_type varchar, comment varchar, extra_info varchar
--> "awsdatacatalog","workshop","quarantine","position","3",,"YES","integer",,
--> "awsdatacatalog","workshop","quarantine","received_at","5",,"YES","timestamp(3)",,
--> "awsdatacatalog","workshop","quarantine","dt","8",,"YES","varchar",,"partition key"

-- What a view is made of
SELECT table_name, strpos(view_definition, 'stock_events') > 0 AS reads FROM information_schema.views;
--> table_name varchar, reads boolean
--> "unique_events","true"

-- No such table
SELECT * FROM information_schema.nothing;
--! TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.information_schema.nothing' does not exist

-- Partitions that are projected are not listed
SELECT * FROM "stock_events$partitions";
--! NOT_SUPPORTED: "stock_events$partitions" of a table with partition projection is not supported by the embedded Athena

-- Partitions of no table
SELECT * FROM "nothing$partitions";
--! TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.workshop.nothing$partitions' does not exist
