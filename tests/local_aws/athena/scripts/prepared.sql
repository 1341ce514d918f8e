-- https://docs.aws.amazon.com/athena/latest/ug/querying-with-prepared-statements.html

-- A statement is prepared
PREPARE by_number FROM
SELECT x FROM UNNEST(ARRAY[1, 2, 3]) AS t (x) WHERE x > ? AND x <> ?;
--> 

-- And run
EXECUTE by_number USING 1, 2;
--> x integer
--> "3"

-- With any expressions
EXECUTE by_number USING least(0, 5), CAST('1' AS integer);
--> x integer
--> "2"
--> "3"

-- With too few
EXECUTE by_number USING 1;
--! INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 2 but found 1

-- With none
EXECUTE by_number;
--! INVALID_PARAMETER_USAGE: Incorrect number of parameters: expected 2 but found 0

-- A parameter is a value, not a piece of text
EXECUTE by_number USING 0) OR (1 = 1, 5;
--! INVALID_PARAMETER_USAGE: The parameter 0) OR (1 = 1 is not a value

-- CTAS takes parameters
PREPARE makes FROM CREATE TABLE made AS SELECT CAST(? AS varchar) AS t;
--> 

-- A text with quotes
EXECUTE makes USING 'it''s ?';
--= 1

-- So does INSERT
PREPARE adds FROM INSERT INTO made VALUES (?), (?);
--> 

-- Two rows
EXECUTE adds USING 'a', NULL;
--= 2

-- All of them
SELECT t FROM made ORDER BY t;
--> t varchar
--> "a"
--> "it's ?"
-->

-- So does UNLOAD
PREPARE unloads FROM UNLOAD (SELECT t FROM made WHERE t = ?) TO 's3://lake/unloaded/' WITH (format = 'JSON');
--> 

-- One row
EXECUTE unloads USING 'a';
--= 1

-- The name is taken
PREPARE makes FROM SELECT 1;
--! GENERIC_USER_ERROR: Prepared statement makes already exists in workshop

-- Other statements cannot be prepared
PREPARE other FROM EXPLAIN (TYPE VALIDATE) SELECT 1;
--! NOT_SUPPORTED: PREPARE of EXPLAIN is not supported

-- A statement is forgotten
DEALLOCATE PREPARE makes;
--> 

-- It is not there
EXECUTE makes USING 1;
--! NOT_FOUND: Prepared statement not found: makes

-- A query is checked and not run
EXPLAIN (TYPE VALIDATE) SELECT t FROM made;
--> Valid boolean
--> true

-- What is wrong with it is said
EXPLAIN (TYPE VALIDATE) SELECT nothing FROM made;
--! COLUMN_NOT_FOUND: line 1:32: Column 'nothing' cannot be resolved or requester is not authorized to access requested resources

-- There are no plans
EXPLAIN SELECT 1;
--! NOT_SUPPORTED: EXPLAIN other than EXPLAIN (TYPE VALIDATE) is not supported by the embedded Athena
