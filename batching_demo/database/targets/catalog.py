"""The queries of the catalogs of Postgres about one table."""

from sqlalchemy import bindparam, text
from sqlalchemy.dialects.postgresql import OID

OF_RELATION = bindparam("oid", type_=OID)

RELATION = text(
    """
    SELECT c.oid, n.nspname AS schema, c.relname AS name, c.relkind::text AS kind,
           has_schema_privilege(n.oid, 'USAGE') AS may_use_schema,
           c.relrowsecurity AND row_security_active(c.oid) AS is_secured,
           c.relpersistence = 't' AS is_temporary, quote_ident(current_user) AS role
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE c.relname = :name AND c.relkind NOT IN ('i', 'I')
      AND CASE WHEN :schema = '' THEN pg_table_is_visible(c.oid) ELSE n.nspname = :schema END
    """
)
"""The relation of a name; without a schema, the one that the search path finds."""

SIMILAR = text(
    """
    SELECT quote_ident(n.nspname) || '.' || quote_ident(c.relname)
    FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace
    WHERE lower(c.relname) = lower(:name) AND c.relkind IN ('r', 'p', 'v', 'm', 'f')
      AND n.nspname NOT LIKE 'pg\\_%' AND n.nspname <> 'information_schema'
    ORDER BY 1 LIMIT 3
    """
)
"""Tables of the same name in other schemas, or with other capitals."""

COLUMNS = text(
    """
    WITH RECURSIVE bases AS (
        SELECT a.attnum, a.atttypid AS type, a.atttypmod AS modifier, false AS is_not_null,
               NULL COLLATE "C" AS initial
        FROM pg_attribute a
        WHERE a.attrelid = :oid AND a.attnum > 0 AND NOT a.attisdropped
      UNION ALL
        SELECT attnum, typbasetype, typtypmod, is_not_null OR typnotnull,
               coalesce(initial, pg_get_expr(typdefaultbin, 0))
        FROM bases JOIN pg_type ON oid = type WHERE typtype = 'd'
    ), of_domains AS (
        SELECT bases.* FROM bases JOIN pg_type ON oid = type WHERE typtype <> 'd'
    )
    SELECT a.attname AS name,
           format_type(a.atttypid, a.atttypmod) AS type,
           format_type(base.type, base.modifier) AS base_type,
           format_type(base.type, -1) AS plain_type,
           kind.typcategory::text AS category,
           nullif(a.attcollation, kind.typcollation)::regcollation::text AS collation,
           has_equality,
           CASE WHEN a.attgenerated = '' THEN pg_get_expr(d.adbin, d.adrelid) END AS default,
           base.initial AS default_of_domain,
           a.attnotnull OR base.is_not_null AS not_null,
           a.attgenerated <> '' AS is_generated,
           CASE a.attidentity WHEN 'a' THEN 'always' WHEN 'd' THEN 'by default' ELSE '' END
             AS identity,
           'nextval(' || quote_literal(sequence.objid::regclass) || '::regclass)' AS next_value,
           (SELECT refobjid::regclass::text FROM pg_depend JOIN pg_class s ON s.oid = refobjid
            WHERE classid = 'pg_attrdef'::regclass AND objid = d.oid
              AND refclassid = 'pg_class'::regclass
              -- It fails for what is no sequence.
              AND CASE WHEN s.relkind = 'S' THEN NOT has_sequence_privilege(s.oid, 'USAGE, UPDATE')
                  END LIMIT 1) AS locked_sequence,
           has_column_privilege(a.attrelid, a.attnum, 'SELECT') AS may_select,
           has_column_privilege(a.attrelid, a.attnum, 'INSERT') AS may_insert,
           has_column_privilege(a.attrelid, a.attnum, 'UPDATE') AS may_update
    FROM of_domains base
    JOIN pg_attribute a ON a.attrelid = :oid AND a.attnum = base.attnum
    JOIN pg_type kind ON kind.oid = base.type
    LEFT JOIN pg_type element ON element.oid = kind.typelem AND kind.typcategory = 'A'
    LEFT JOIN pg_attrdef d ON d.adrelid = a.attrelid AND d.adnum = a.attnum
    LEFT JOIN pg_depend sequence ON sequence.deptype = 'i' AND a.attidentity <> ''
      AND sequence.classid = 'pg_class'::regclass AND sequence.refclassid = 'pg_class'::regclass
      AND sequence.refobjid = a.attrelid AND sequence.refobjsubid = a.attnum
    CROSS JOIN LATERAL (
        SELECT coalesce(element.typtype, kind.typtype) IN ('e', 'r', 'm') OR EXISTS (
            SELECT FROM pg_opclass o JOIN pg_am ON pg_am.oid = o.opcmethod
            LEFT JOIN pg_cast ON castsource = coalesce(element.oid, kind.oid)
              AND casttarget = o.opcintype AND castmethod = 'b' AND castcontext = 'i'
            WHERE o.opcdefault AND amname IN ('btree', 'hash')
              AND (o.opcintype = coalesce(element.oid, kind.oid) OR castsource IS NOT NULL)
        ) AS has_equality
    ) AS compared
    ORDER BY a.attnum
    """
).bindparams(OF_RELATION)
"""The columns of a relation."""

INDEXES = text(
    """
    SELECT c.relname AS name, i.indisvalid AND i.indisready AS is_valid,
           NOT i.indimmediate AS is_deferrable, i.indpred IS NOT NULL AS is_partial,
           i.indexprs IS NOT NULL AS has_expressions,
           EXISTS (SELECT FROM unnest(i.indkey::int2[], i.indcollation::oid[]) AS part (attnum, of)
                   JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.attnum
                   WHERE part.of <> a.attcollation) AS is_of_other_collation,
           ARRAY(SELECT a.attname::text
                 FROM unnest(i.indkey::int2[]) WITH ORDINALITY AS part (attnum, place)
                 JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = part.attnum
                 WHERE place <= i.indnkeyatts ORDER BY place) AS columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
    WHERE i.indrelid = :oid AND i.indisunique AND NOT i.indisexclusion
    ORDER BY 1
    """
).bindparams(OF_RELATION)
"""The unique indexes of a relation, those of constraints included."""

INTERFERING = text(
    """
    WITH parts AS (SELECT CAST(:oid AS oid) AS oid UNION SELECT relid FROM pg_partition_tree(:oid))
    SELECT 'trigger' AS what, tgname AS name FROM parts JOIN pg_trigger ON tgrelid = parts.oid
    -- Bits of tgtype: 1 for each row, 2 BEFORE, 4 INSERT, 16 UPDATE.
    WHERE NOT tgisinternal AND tgenabled NOT IN ('D', 'R') AND tgtype & 3 = 3 AND tgtype & 20 <> 0
    UNION
    SELECT 'rule', rulename FROM parts JOIN pg_rewrite ON ev_class = parts.oid
    WHERE ev_enabled NOT IN ('D', 'R') AND ev_type IN ('2', '3')
    UNION
    SELECT 'heir', relname FROM pg_inherits JOIN pg_class ON pg_class.oid = inhrelid
    WHERE inhparent = :oid AND NOT relispartition
    ORDER BY 1, 2
    """
).bindparams(OF_RELATION)
"""Triggers BEFORE and rules that change what an INSERT or an UPDATE of a relation does, and tables
that inherit from it: statements find their rows too, which its key does not cover."""
