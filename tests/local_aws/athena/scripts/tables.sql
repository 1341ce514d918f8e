-- https://docs.aws.amazon.com/athena/latest/ug/create-table.html
-- https://docs.aws.amazon.com/athena/latest/ug/language-reference.html

-- Types, comments, partitions, a SerDe and properties
CREATE EXTERNAL TABLE IF NOT EXISTS `workshop`.`logs` (
  `id` int COMMENT 'the row''s number',
  `who` struct<name:string, roles:array<string>>, -- with spaces
  tags map<string,
    decimal(10, 2)>
)
COMMENT 'what was logged'
PARTITIONED BY (`day` string COMMENT 'yyyy-MM-dd', hour int)
ROW FORMAT SERDE 'org.openx.data.jsonserde.JsonSerDe'
WITH SERDEPROPERTIES ("ignore.malformed.json" = 'true')
STORED AS INPUTFORMAT 'org.apache.hadoop.mapred.TextInputFormat'
OUTPUTFORMAT 'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
LOCATION 's3://lake/logs/'
TBLPROPERTIES ('has_encrypted_data' = 'false');
--> 

-- Its columns
DESCRIBE logs;
--> col_name varchar, data_type varchar, comment varchar
--> id                  	int                 	the rows number     
--> who                 	struct<name:string,roles:array<string>>	                    
--> tags                	map<string,decimal(10,2)>	                    
--> day                 	string              	yyyy-MM-dd          
--> hour                	int                 	                    
--> 	 	 
--> # Partition Information	 	 
--> # col_name            	data_type           	comment             
--> 	 	 
--> day                 	string              	yyyy-MM-dd          
--> hour                	int                 	                    

-- Its columns' names
SHOW COLUMNS IN logs;
--> field varchar
--> id                  
--> who                 
--> tags                
--> day                 
--> hour                

-- Its statement
SHOW CREATE TABLE logs;
--> createtab_stmt varchar
--> CREATE EXTERNAL TABLE `logs`(
-->   `id` int COMMENT 'the rows number', 
-->   `who` struct<name:string,roles:array<string>>, 
-->   `tags` map<string,decimal(10,2)>)
--> PARTITIONED BY ( 
-->   `day` string COMMENT 'yyyy-MM-dd', 
-->   `hour` int)
--> ROW FORMAT SERDE 
-->   'org.openx.data.jsonserde.JsonSerDe' 
--> WITH SERDEPROPERTIES ( 
-->   'ignore.malformed.json'='true', 
-->   'serialization.format'='1') 
--> STORED AS INPUTFORMAT 
-->   'org.apache.hadoop.mapred.TextInputFormat' 
--> OUTPUTFORMAT 
-->   'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
--> LOCATION
-->   's3://lake/logs/'
--> TBLPROPERTIES (
-->   'comment'='what was logged', 
-->   'has_encrypted_data'='false')

-- Its properties
SHOW TBLPROPERTIES logs;
--> prpt_name varchar, prpt_value varchar
--> EXTERNAL	TRUE
--> comment	what was logged
--> has_encrypted_data	false

-- One of them
SHOW TBLPROPERTIES logs ('comment');
--> prpt_name varchar
--> what was logged

-- Properties are set
ALTER TABLE logs SET TBLPROPERTIES ('comment' = 'new', 'a' = 'b');
--> 

-- Beside the others
SHOW TBLPROPERTIES logs;
--> prpt_name varchar, prpt_value varchar
--> EXTERNAL	TRUE
--> a	b
--> comment	new
--> has_encrypted_data	false

-- The name is taken
CREATE EXTERNAL TABLE logs (a int) LOCATION 's3://lake/x/';
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. AlreadyExistsException(message:Table logs already exists)

-- Unless nobody minds
CREATE EXTERNAL TABLE IF NOT EXISTS logs (a int) LOCATION 's3://lake/x/';
--> 

-- Delimited text
CREATE EXTERNAL TABLE texts (a int, b array<string>)
ROW FORMAT DELIMITED FIELDS TERMINATED BY '\t' ESCAPED BY '\\' COLLECTION ITEMS TERMINATED BY '|' NULL DEFINED AS ''
STORED AS TEXTFILE LOCATION 's3://lake/texts/';
--> 

-- Its delimiters
SHOW CREATE TABLE texts;
--> createtab_stmt varchar
--> CREATE EXTERNAL TABLE `texts`(
-->   `a` int, 
-->   `b` array<string>)
--> ROW FORMAT SERDE 
-->   'org.apache.hadoop.hive.serde2.lazy.LazySimpleSerDe' 
--> WITH SERDEPROPERTIES ( 
-->   'collection.delim'='|', 
-->   'escape.delim'='\\', 
-->   'field.delim'='\t', 
-->   'serialization.format'='\t', 
-->   'serialization.null.format'='') 
--> STORED AS INPUTFORMAT 
-->   'org.apache.hadoop.mapred.TextInputFormat' 
--> OUTPUTFORMAT 
-->   'org.apache.hadoop.hive.ql.io.HiveIgnoreKeyTextOutputFormat'
--> LOCATION
-->   's3://lake/texts/'

-- Columns are added
ALTER TABLE texts ADD COLUMNS (c double COMMENT 'x', d date);
--> 

-- At the end
SHOW COLUMNS FROM texts;
--> field varchar
--> a                   
--> b                   
--> c                   
--> d                   

-- Or replaced
ALTER TABLE texts REPLACE COLUMNS (z bigint);
--> 

-- All of them
SHOW COLUMNS FROM texts IN workshop;
--> field varchar
--> z                   

-- A column that is there
ALTER TABLE texts ADD COLUMNS (z int);
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Duplicate column name: z

-- A table elsewhere
ALTER TABLE texts SET LOCATION 's3://lake/elsewhere/';
--> 

-- Tables by a pattern
SHOW TABLES 'lo*|te*';
--> tab_name varchar
--> logs
--> texts

-- Tables of a database that is not there
SHOW TABLES IN nowhere;
--! FAILED: SemanticException [Error 10072]: Database does not exist: nowhere

-- A type nobody knows
CREATE EXTERNAL TABLE other (a colour) LOCATION 's3://lake/x/';
--! FAILED: ParseException cannot recognize input near 'colour' in column type

-- A place is needed
CREATE EXTERNAL TABLE other (a int);
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. MetaException(message:java.lang.IllegalArgumentException: Can not create a Path from an empty string)

-- Without EXTERNAL only Iceberg is made
CREATE TABLE other (a int) LOCATION 's3://lake/x/';
--! InvalidRequestException: line 1:8: mismatched input 'table'. Expecting: 'external'

-- Which is not there
CREATE TABLE other (a int) LOCATION 's3://lake/x/' TBLPROPERTIES ('table_type' = 'ICEBERG');
--! NOT_SUPPORTED: An Iceberg table is not supported by the embedded Athena

-- Nor are buckets
CREATE EXTERNAL TABLE other (a int) CLUSTERED BY (a) INTO 4 BUCKETS LOCATION 's3://lake/x/';
--! NOT_SUPPORTED: CLUSTERED BY is not supported by the embedded Athena

-- A table goes
DROP TABLE `texts`;
--> 

-- Once
DROP TABLE texts;
--! FAILED: SemanticException [Error 10001]: Table not found workshop.texts

-- Unless nobody minds
DROP TABLE IF EXISTS workshop.texts;
--> 

-- What is not there cannot be described
DESCRIBE texts;
--! FAILED: SemanticException [Error 10001]: Table not found workshop.texts

-- A database
CREATE DATABASE IF NOT EXISTS second COMMENT 'the other one' LOCATION 's3://lake/second/' WITH DBPROPERTIES ('a' = 'b');
--> 

-- Databases
SHOW DATABASES;
--> database_name varchar
--> second
--> workshop

-- Schemas by a pattern
SHOW SCHEMAS LIKE 'w*';
--> database_name varchar
--> workshop

-- The name is taken
CREATE SCHEMA second;
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. Database second already exists

-- A database goes
DROP DATABASE second;
--> 

-- Once
DROP SCHEMA second;
--! FAILED: SemanticException [Error 10072]: Database does not exist: second

-- One with tables stays
DROP DATABASE workshop;
--! FAILED: Execution Error, return code 1 from org.apache.hadoop.hive.ql.exec.DDLTask. InvalidOperationException(message:Database workshop is not empty. One or more tables exist.)

-- Statements that are not there say so
ALTER TABLE logs RENAME TO other;
--! NOT_SUPPORTED: ALTER TABLE … RENAME TO is not supported by the embedded Athena

-- By their name
SHOW FUNCTIONS;
--! NOT_SUPPORTED: SHOW FUNCTIONS is not supported by the embedded Athena

-- Only one statement
DROP TABLE logs; DROP TABLE logs;
--! InvalidRequestException: Only one sql statement is allowed

-- Nothing behind a statement
DROP TABLE logs PURGE;
--! InvalidRequestException: line 1:17: mismatched input 'PURGE'
