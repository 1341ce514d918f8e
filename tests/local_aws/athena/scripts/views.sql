-- https://docs.aws.amazon.com/athena/latest/ug/create-view.html
-- https://docs.aws.amazon.com/athena/latest/ug/drop-view.html
-- https://docs.aws.amazon.com/athena/latest/ug/show-views.html
-- https://docs.aws.amazon.com/athena/latest/ug/show-create-view.html

-- A view is kept
CREATE VIEW numbers AS SELECT x, CAST(x AS double) AS y FROM UNNEST(ARRAY[1, 2]) AS t (x);
--> 

-- And read
SELECT sum(x) AS x, sum(y) AS y FROM numbers;
--> x bigint, y double
--> "3","3.0"

-- Its name is taken
CREATE VIEW numbers AS SELECT 1 AS x;
--! ALREADY_EXISTS: View already exists: 'workshop.numbers'

-- It may be replaced
CREATE OR REPLACE VIEW workshop.numbers AS
SELECT 5 AS x;
--> 

-- With other rows
SELECT * FROM numbers;
--> x integer
--> "5"

-- With names of its own for the columns
CREATE VIEW named (a, b) AS SELECT 1, 'x';
--> 

-- They are used
SELECT b, a FROM named;
--> b varchar, a integer
--> "x","1"

-- Too few names
CREATE VIEW other (a) AS SELECT 1, 2;
--! MISMATCHED_COLUMN_ALIASES: line 1:1: Column alias list has 1 entries but relation has 2 columns

-- A column without a name
CREATE VIEW other AS SELECT 1;
--! COLUMN_NAME_NOT_SPECIFIED: line 1:1: Column name not specified at position 1

-- A query that is wrong is found at once
CREATE VIEW other AS SELECT * FROM nothing;
--! TABLE_NOT_FOUND: line 1:36: Table 'awsdatacatalog.workshop.nothing' does not exist

-- What there is
SHOW VIEWS;
--> views varchar
--> named
--> numbers

-- What there is by a pattern, in a database
SHOW VIEWS IN workshop LIKE 'nu*';
--> views varchar
--> numbers

-- Its text
SHOW CREATE VIEW numbers;
--> Create View varchar
--> CREATE VIEW workshop.numbers AS
--> SELECT 5 AS x

-- Its text, by quoted names
SHOW CREATE VIEW "workshop"."numbers";
--> Create View varchar
--> CREATE VIEW workshop.numbers AS
--> SELECT 5 AS x

-- Its columns
DESCRIBE named;
--> Column varchar, Type varchar, Extra varchar, Comment varchar
--> a	integer		
--> b	varchar(1)		

-- A table of the same database
CREATE TABLE rows AS SELECT * FROM numbers;
--= 1

-- Is no view
DROP VIEW rows;
--! VIEW_NOT_FOUND: line 1:1: View 'awsdatacatalog.workshop.rows' does not exist, but a table with that name exists.

-- Has no view's text
SHOW CREATE VIEW rows;
--! NOT_SUPPORTED: line 1:1: Relation 'awsdatacatalog.workshop.rows' is a table, not a view

-- Nor can a view take its name
CREATE OR REPLACE VIEW rows AS SELECT 1 AS x;
--! TABLE_ALREADY_EXISTS: line 1:1: Table already exists: 'awsdatacatalog.workshop.rows'

-- A view goes
DROP VIEW numbers;
--> 

-- Once
DROP VIEW numbers;
--! VIEW_NOT_FOUND: line 1:1: View 'awsdatacatalog.workshop.numbers' does not exist

-- Unless nobody minds
DROP VIEW IF EXISTS numbers;
--> 
