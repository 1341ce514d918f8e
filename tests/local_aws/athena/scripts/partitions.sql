-- https://docs.aws.amazon.com/athena/latest/ug/alter-table-add-partition.html
-- https://docs.aws.amazon.com/athena/latest/ug/alter-table-drop-partition.html
-- https://docs.aws.amazon.com/athena/latest/ug/alter-table-rename-partition.html
-- https://docs.aws.amazon.com/athena/latest/ug/msck-repair-table.html

-- Data in folders
CREATE TABLE source WITH (external_location = 's3://lake/data/', partitioned_by = ARRAY['dt', 'h']) AS
SELECT * FROM (VALUES (1, '2026-01-01', 1), (2, '2026-01-02', 2), (3, '2026-01-03', 3)) AS t (n, dt, h);
--= 3

-- A table over it that knows no partitions
CREATE EXTERNAL TABLE t (n int) PARTITIONED BY (dt string, h int) STORED AS PARQUET LOCATION 's3://lake/data/';
--> 

-- Reads nothing
SELECT count(*) AS n FROM t;
--> n bigint
--> "0"

-- A partition is added
ALTER TABLE t ADD PARTITION (dt = '2026-01-01', h = 1);
--> 

-- And read
SELECT n, h FROM t;
--> n integer, h integer
--> "1","1"

-- It is there already
ALTER TABLE t ADD PARTITION (h = 1, dt = '2026-01-01');
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException(message:Partition already exists.)

-- Unless nobody minds; another one elsewhere
ALTER TABLE t ADD IF NOT EXISTS PARTITION (dt = '2026-01-01', h = 1)
PARTITION (dt = 'x', h = 9) LOCATION 's3://lake/data/dt=2026-01-02/h=2/';
--> 

-- Two of them
SELECT n, dt FROM t ORDER BY n;
--> n integer, dt varchar
--> "1","2026-01-01"
--> "2","x"

-- The rest is found by its folders
MSCK REPAIR TABLE t;
--> 
--> Partitions not in metastore:	t:dt=2026-01-02/h=2	t:dt=2026-01-03/h=3
--> Repair: Added partition to metastore t:dt=2026-01-02/h=2
--> Repair: Added partition to metastore t:dt=2026-01-03/h=3

-- Once
MSCK REPAIR TABLE t;
--> 

-- All of them
SHOW PARTITIONS t;
--> partition varchar
--> dt=2026-01-01/h=1
--> dt=2026-01-02/h=2
--> dt=2026-01-03/h=3
--> dt=x/h=9

-- A partition goes
ALTER TABLE t DROP PARTITION (dt = 'x', h = 9), PARTITION (dt = '2026-01-02', h = 2);
--> 

-- Its rows are not read
SELECT n FROM t ORDER BY n;
--> n integer
--> "1"
--> "3"

-- One that is not there
ALTER TABLE t DROP PARTITION (dt = 'x', h = 9);
--! FAILED: SemanticException [Error 10006]: Partition not found (dt=x, h=9)

-- Unless nobody minds
ALTER TABLE t DROP IF EXISTS PARTITION (dt = 'x', h = 9);
--> 

-- A partition gets another name
ALTER TABLE t PARTITION (dt = '2026-01-03', h = 3) RENAME TO PARTITION (dt = 'y', h = 4);
--> 

-- And keeps its rows
SELECT n, dt, h FROM t WHERE dt = 'y';
--> n integer, dt varchar, h integer
--> "3","y","4"

-- A partition gets another place
ALTER TABLE t PARTITION (dt = 'y', h = 4) SET LOCATION 's3://lake/data/dt=2026-01-02/h=2/';
--> 

-- And other rows
SELECT n, dt FROM t WHERE dt = 'y';
--> n integer, dt varchar
--> "2","y"

-- A key that is none
ALTER TABLE t ADD PARTITION (n = 1);
--! FAILED: SemanticException [Error 10098]: Non-Partition column appears in the partition specification: n

-- A key that lacks
ALTER TABLE t ADD PARTITION (dt = '2026-01-09');
--! FAILED: SemanticException partition spec {dt=2026-01-09} doesn't contain all (2) partition columns

-- A table without partitions
CREATE TABLE plain AS SELECT 1 AS n;
--= 1

-- Has none to show
SHOW PARTITIONS plain;
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Table plain is not a partitioned table
