-- https://docs.aws.amazon.com/athena/latest/ug/insert-into.html
-- https://trino.io/docs/current/sql/insert.html

-- A table to insert into
CREATE EXTERNAL TABLE cities (id int, city string, price decimal(10,2)) PARTITIONED BY (state string)
STORED AS PARQUET LOCATION 's3://lake/cities/';
--> 

-- Rows of values; the partition is the last column
INSERT INTO cities VALUES (1, 'Lansing', DECIMAL '1.50', 'MI'), (3, 'Boise', NULL, 'ID');
--= 2

-- Rows of a query, into some columns
INSERT INTO cities (state, id) SELECT 'MI', x FROM UNNEST(ARRAY[7, 8]) AS t (x);
--= 2

-- All of them are there
SELECT * FROM cities ORDER BY id;
--> id integer, city varchar, price decimal, state varchar
--> "1","Lansing","1.50","MI"
--> "3","Boise",,"ID"
--> "7",,,"MI"
--> "8",,,"MI"

-- The partitions were registered
SHOW PARTITIONS cities;
--> partition varchar
--> state=ID
--> state=MI

-- A whole number becomes a decimal
INSERT INTO cities SELECT 9, 'Ely', 2, 'NV';
--= 1

-- A partition may be null
INSERT INTO cities (id) VALUES (10);
--= 1

-- And is found by that
SELECT id FROM cities WHERE state IS NULL;
--> id integer
--> "10"

-- Too few columns
INSERT INTO cities VALUES (1, 'x');
--! TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [integer, varchar, decimal(10, 2), varchar], Query: [integer, varchar(1)]

-- A type that does not become the column's
INSERT INTO cities (id) VALUES ('1');
--! TYPE_MISMATCH: line 1:1: Insert query has mismatched column types: Table: [integer], Query: [varchar(1)]

-- A column that is not there
INSERT INTO cities (colour) VALUES ('red');
--! COLUMN_NOT_FOUND: line 1:1: Insert column name does not exist in target table: colour

-- A column twice
INSERT INTO cities (id, id) VALUES (1, 2);
--! DUPLICATE_COLUMN_NAME: line 1:1: Insert column name is specified more than once: id

-- A table that is not there
INSERT INTO nothing VALUES (1);
--! TABLE_NOT_FOUND: line 1:1: Table 'awsdatacatalog.workshop.nothing' does not exist

-- A hundred partitions at most
INSERT INTO cities (id, state) SELECT CAST(x AS integer), CAST(x AS varchar) FROM UNNEST(sequence(1, 101)) AS t (x);
--! HIVE_TOO_MANY_OPEN_PARTITIONS: Exceeded limit of 100 open writers for partitions/buckets

-- Nothing of it was written
SELECT count(*) AS n FROM cities;
--> n bigint
--> "6"

-- A view
CREATE VIEW v AS SELECT id FROM cities;
--> 

-- Nothing goes into it
INSERT INTO v VALUES (1);
--! NOT_SUPPORTED: line 1:1: Inserting into views is not supported

-- A SerDe that only reads
CREATE EXTERNAL TABLE regexes (t string) ROW FORMAT SERDE 'org.apache.hadoop.hive.serde2.RegexSerDe'
WITH SERDEPROPERTIES ('input.regex' = '(.*)') LOCATION 's3://lake/regexes/';
--> 

-- Is named
INSERT INTO regexes VALUES ('a');
--! NOT_SUPPORTED: INSERT INTO workshop.regexes: the SerDe org.apache.hadoop.hive.serde2.RegexSerDe is not supported by the embedded Athena

-- Partitions that are projected
CREATE EXTERNAL TABLE days (n int) PARTITIONED BY (dt string) STORED AS PARQUET LOCATION 's3://lake/days/'
TBLPROPERTIES ('projection.enabled' = 'true', 'projection.dt.type' = 'date', 'projection.dt.format' = 'yyyy-MM-dd',
'projection.dt.range' = '2026-01-01,NOW', 'storage.location.template' = 's3://lake/days/at/${dt}/');
--> 

-- Rows go where their template says
INSERT INTO days VALUES (1, '2026-11-20'), (2, '2026-11-21');
--= 2

-- And are read from there
SELECT n, "$path" LIKE 's3://lake/days/at/2026-11-21/%' AS there FROM days WHERE dt = '2026-11-21';
--> n integer, there boolean
--> "2","true"
