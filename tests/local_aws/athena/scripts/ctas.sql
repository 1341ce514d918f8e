-- https://docs.aws.amazon.com/athena/latest/ug/create-table-as.html
-- https://docs.aws.amazon.com/athena/latest/ug/ctas-considerations-limitations.html

-- A table is made of a query's rows, in Parquet where nothing else is asked
CREATE TABLE a AS SELECT 1 AS n, 'x' AS t, ARRAY[1.5] AS xs UNION ALL SELECT 2, NULL, NULL;
--= 2

-- Its rows are there, with their types
SELECT * FROM a ORDER BY n;
--> n integer, t varchar, xs array
--> "1","x","[1.5]"
--> "2",,

-- Hive's names of the types
DESCRIBE a;
--> col_name varchar, data_type varchar, comment varchar
--> n                   	int                 	                    
--> t                   	varchar(1)          	                    
--> xs                  	array<decimal(2,1)> 	                    

-- The name is taken
CREATE TABLE a AS SELECT 1 AS n;
--! TABLE_ALREADY_EXISTS: line 1:1: Destination table 'awsdatacatalog.workshop.a' already exists

-- Unless it may be
CREATE TABLE IF NOT EXISTS a AS SELECT 1 AS n;
--= 0

-- Partitions are made of the last columns
CREATE TABLE p WITH (format = 'JSON', partitioned_by = ARRAY['day', 'k'], external_location = 's3://lake/p/')
AS SELECT n, t, day, k FROM (VALUES (1, 'a', DATE '2026-01-01', 'x=1'), (2, NULL, DATE '2026-01-01', NULL), (3, 'c', NULL, 'y/z')) AS v (n, t, day, k);
--= 3

-- They are registered, and their values escaped as Hive does
SHOW PARTITIONS p;
--> partition varchar
--> day=2026-01-01/k=__HIVE_DEFAULT_PARTITION__
--> day=2026-01-01/k=x%3D1
--> day=__HIVE_DEFAULT_PARTITION__/k=y%2Fz

-- They come back
SELECT n, t, day, k FROM p WHERE day = DATE '2026-01-01' OR k = 'y/z' ORDER BY n;
--> n integer, t varchar, day date, k varchar
--> "1","a","2026-01-01","x=1"
--> "2",,"2026-01-01",
--> "3","c",,"y/z"

-- The location holds data already
CREATE TABLE q WITH (external_location = 's3://lake/p') AS SELECT 1 AS n;
--! HIVE_PATH_ALREADY_EXISTS: Target directory for table 'workshop.q' already exists: s3://lake/p. You may need to manually clean the data at location 's3://lake/p' before retrying. Athena will not delete data in your account.

-- Nothing was made
SELECT * FROM q;
--! TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.workshop.q' does not exist

-- Only a table's shape
CREATE TABLE shape WITH (format = 'TEXTFILE', field_delimiter = ',') AS SELECT * FROM p WITH NO DATA;
--= 0

-- It has the columns and the keys are columns now
SHOW COLUMNS IN shape;
--> field varchar
--> n                   
--> t                   
--> day                 
--> k                   

-- A column without a name
CREATE TABLE q AS SELECT 1 AS a, 2;
--! COLUMN_NAME_NOT_SPECIFIED: line 1:1: Column name not specified at position 2

-- A name that comes twice
CREATE TABLE q AS SELECT 1 AS a, 2 AS "A";
--! DUPLICATE_COLUMN_NAME: line 1:1: Column name 'a' specified more than once

-- Partition columns come last
CREATE TABLE q WITH (partitioned_by = ARRAY['a']) AS SELECT 1 AS a, 2 AS b;
--! HIVE_COLUMN_ORDER_MISMATCH: Partition keys must be the last columns in the table and in the same order as the table properties: [a], and not [b]

-- A hundred partitions at most
CREATE TABLE q WITH (partitioned_by = ARRAY['k']) AS SELECT x AS n, x AS k FROM UNNEST(sequence(1, 101)) AS t (x);
--! HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions/buckets

-- A type that no table holds
CREATE TABLE q AS SELECT INTERVAL '1' DAY AS i;
--! NOT_SUPPORTED: Unsupported Hive type: interval day to second

-- A null of no type
CREATE TABLE q AS SELECT NULL AS i;
--! NOT_SUPPORTED: Unsupported Hive type: unknown

-- Buckets are not there yet
CREATE TABLE q WITH (bucketed_by = ARRAY['a'], bucket_count = 3) AS SELECT 1 AS a;
--! NOT_SUPPORTED: The table property bucketed_by is not supported by the embedded Athena

-- Nor Iceberg
CREATE TABLE q WITH (table_type = 'ICEBERG', is_external = false) AS SELECT 1 AS a;
--! NOT_SUPPORTED: An Iceberg table is not supported by the embedded Athena

-- Nor Avro
CREATE TABLE q WITH (format = 'AVRO') AS SELECT 1 AS a;
--! NOT_SUPPORTED: Writing the format AVRO is not supported by the embedded Athena

-- Nor a compression that no library writes
CREATE TABLE q WITH (format = 'PARQUET', write_compression = 'LZO') AS SELECT 1 AS a;
--! NOT_SUPPORTED: The compression LZO for PARQUET is not supported by the embedded Athena

-- A property nobody knows
CREATE TABLE q WITH (colour = 'red') AS SELECT 1 AS a;
--! INVALID_TABLE_PROPERTY: line 1:1: Catalog 'awsdatacatalog' table property 'colour' does not exist

-- A database nobody made
CREATE TABLE nowhere.q AS SELECT 1 AS a;
--! SCHEMA_NOT_FOUND: line 1:1: Schema 'nowhere' does not exist

-- Errors in the query keep their place
CREATE TABLE q WITH (format = 'ORC')
AS SELECT nothing FROM a;
--! COLUMN_NOT_FOUND: line 2:11: Column 'nothing' cannot be resolved or requester is not authorized to access requested resources

-- So do errors of its grammar
CREATE TABLE q AS
SELECT FROM a;
--! InvalidRequestException: line 2:8: mismatched input 'FROM'

-- A failure in the middle of the rows
CREATE TABLE q AS SELECT 1 / (x - 90000) AS n FROM UNNEST(sequence(1, 100000)) AS u (x);
--! DIVISION_BY_ZERO: Division by zero

-- Leaves no table
SELECT * FROM q;
--! TABLE_NOT_FOUND: line 1:15: Table 'awsdatacatalog.workshop.q' does not exist
