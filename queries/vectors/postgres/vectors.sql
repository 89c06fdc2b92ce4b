-- Vectors (pgvector). Order: create, write, search, count, delete.
-- These files are not part of the two mirrored trees, and no migration creates their tables: they need an extension,
-- which the state store must not need, and they may be in a different database.
-- They are loaded, and the tables are created, when a collection of the provider pgvector is opened.

-- name: create_vectors#
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- Create the extension, the tables, and the function that creates a collection's index.
select pg_advisory_xact_lock(hashtextextended('diglot.statestore.vectors', 0));

create extension if not exists vector;

create table if not exists vector_collections (
    collection text collate "C" not null,
    dimension bigint not null,
    metric text collate "C" not null,
    constraint pk_vector_collections primary key (collection),
    constraint ck_vector_collections_dimension check (dimension between 1 and 16000),
    constraint ck_vector_collections_metric check (metric in ('cosine', 'l2', 'ip'))
);

-- The vectors of all collections: therefore the type has no dimension, but the index of each collection has.
create table if not exists vectors (
    collection text collate "C" not null,
    id text collate "C" not null,
    embedding vector not null,
    text text collate "C" not null,
    metadata jsonb not null,
    constraint pk_vectors primary key (collection, id),
    constraint fk_vectors_collection foreign key (collection)
    references vector_collections (collection) on delete cascade,
    constraint ck_vectors_id check (length(id) between 1 and 255),
    constraint ck_vectors_metadata check (jsonb_typeof(metadata) = 'object')
);

create index if not exists ix_vectors_metadata
on vectors using gin (metadata jsonb_path_ops);

-- An index can't take its dimension from a parameter, so its statement is built here, from numbers and quoted names. An
-- index of another method that the collection had before is dropped.
create or replace function create_vector_index(
    collection text,
    dimension bigint,
    metric text,
    kind text,
    m bigint,
    ef_construction bigint,
    lists bigint
)
returns boolean
language plpgsql
as $$
begin
    execute format('drop index if exists %I', 'ix_embedding_' || collection);
    execute format(
        'create index %I on vectors using %I ((embedding::vector(%s)) %I) with (%s) where collection = %L',
        'ix_embedding_' || collection,
        kind,
        dimension,
        'vector_' || metric || '_ops',
        case kind
            when 'ivfflat' then format('lists = %s', lists)
            else format('m = %s, ef_construction = %s', m, ef_construction)
        end,
        collection
    );
    return true;
end
$$;

-- name: lock_collections$
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: bool
-- Lock until the end of the transaction: if two callers open a new collection, it is created once.
select pg_advisory_xact_lock(hashtextextended('diglot.statestore.vectors', 0)) is not null;

-- name: extension_version$
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: text?
-- The version of pgvector.
select pg_extension.extversion
from pg_extension
where pg_extension.extname = 'vector';

-- name: add_collection!
-- param: collection text
-- param: dimension int
-- param: metric text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- idempotent: it is there already
-- Add a collection.
insert into vector_collections (collection, dimension, metric)
values (:collection, :dimension, :metric)
on conflict (collection) do nothing;

-- name: get_collection^
-- param: collection text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Collection
-- The dimension and metric that a collection was created with.
select
    dimension,
    metric
from vector_collections
where collection = :collection;

-- name: index_method$
-- param: collection text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: text?
-- The method of a collection's index, hnsw or ivfflat; none if it has no index.
with found as (
    select relam
    from pg_class
    where oid = to_regclass(quote_ident('ix_embedding_' || :collection))
)

select pg_am.amname
from pg_am
inner join found on pg_am.oid = found.relam;

-- name: create_index$
-- param: collection text
-- param: dimension int
-- param: metric text
-- param: method text
-- param: m int
-- param: ef_construction int
-- param: lists int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: bool
-- Create the index of a collection.
select create_vector_index(:collection, :dimension, :metric, :method, :m, :ef_construction, :lists);

-- name: upsert_vectors!
-- param: collection text
-- param: ids text[]
-- param: embeddings text[]
-- param: texts text[]
-- param: metadata text[]
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- idempotent: the same values again
-- Write records, replacing those with the same ids. Unchanged records are left alone: a dead row stays in the index
-- until it is vacuumed.
insert into vectors (
    collection,
    id,
    embedding,
    text,
    metadata
)
select
    :collection,
    given.id,
    cast(given.embedding as vector) as embedding,
    given.text,
    cast(given.metadata as jsonb) as metadata
from
    unnest(
        cast(:ids as text[]), cast(:embeddings as text[]), cast(:texts as text[]), cast(:metadata as text[])
    ) as given (id, embedding, text, metadata)
on conflict (collection, id) do update
set
    embedding = excluded.embedding,
    text = excluded.text,
    metadata = excluded.metadata
where
    (vectors.embedding, vectors.text, vectors.metadata)
    is distinct from (excluded.embedding, excluded.text, excluded.metadata);

-- name: has_as_many$
-- param: collection text
-- param: few int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: bool
-- Whether a collection has this many records.
with first_ones as (
    select id
    from vectors
    where collection = :collection
    order by id
    limit :few
)

select count(*) = :few
from first_ones;

-- name: tune_search$
-- param: collection text
-- param: few int
-- param: ef_search text
-- param: probes text
-- param: indexed bool
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: text
-- Settings for the search that follows in the same transaction. It is planned for its actual parameters: otherwise the
-- collection's index would not match. The index is read until there are enough rows, even if a filter passes only few.
-- Without index scans the search is exact, which is also used for few records: it costs nothing there, and dead rows
-- can't interfere. JIT is off: the planner gives disabled scans a very high cost, which is no reason to compile.
with first_ones as (
    select id
    from vectors
    where collection = :collection
    order by id
    limit :few
)

select
    concat_ws(
        ' ',
        set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('jit', 'off', true),
        set_config('hnsw.ef_search', :ef_search, true),
        set_config('hnsw.iterative_scan', 'strict_order', true),
        set_config('ivfflat.probes', :probes, true),
        set_config('ivfflat.iterative_scan', 'relaxed_order', true),
        set_config('enable_indexscan', case when :indexed and count(*) = :few then 'on' else 'off' end, true)
    )
from first_ones;

-- name: search_cosine
-- param: collection text
-- param: dimension int
-- param: embedding float[]
-- param: path text?
-- param: limit int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Match
-- plan: sort because an index of vectors knows its dimension, which only the plan for given parameters does
-- The nearest records by cosine.
select
    id,
    text,
    metadata,
    1 - (vector(embedding, cast(:dimension as int), true) <=> cast(cast(:embedding as float8[]) as vector)) as score
from vectors
where
    collection = :collection
    /* if :path */ and metadata @@ cast(:path as jsonpath) /* end */
order by vector(embedding, cast(:dimension as int), true) <=> cast(cast(:embedding as float8[]) as vector)
limit :limit;

-- name: search_l2
-- param: collection text
-- param: dimension int
-- param: embedding float[]
-- param: path text?
-- param: limit int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Match
-- plan: sort because an index of vectors knows its dimension, which only the plan for given parameters does
-- The nearest records by distance.
select
    id,
    text,
    metadata,
    1 / (1 + (vector(embedding, cast(:dimension as int), true) <-> cast(cast(:embedding as float8[]) as vector)))
        as score
from vectors
where
    collection = :collection
    /* if :path */ and metadata @@ cast(:path as jsonpath) /* end */
order by vector(embedding, cast(:dimension as int), true) <-> cast(cast(:embedding as float8[]) as vector)
limit :limit;

-- name: search_ip
-- param: collection text
-- param: dimension int
-- param: embedding float[]
-- param: path text?
-- param: limit int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Match
-- plan: sort because an index of vectors knows its dimension, which only the plan for given parameters does
-- The records with the largest inner product; the operator returns its negative.
select
    id,
    text,
    metadata,
    -(vector(embedding, cast(:dimension as int), true) <#> cast(cast(:embedding as float8[]) as vector)) as score
from vectors
where
    collection = :collection
    /* if :path */ and metadata @@ cast(:path as jsonpath) /* end */
order by vector(embedding, cast(:dimension as int), true) <#> cast(cast(:embedding as float8[]) as vector)
limit :limit;

-- name: count_vectors$
-- param: collection text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: int
-- The number of records in a collection.
select count(*)
from vectors
where collection = :collection;

-- name: delete_vectors!
-- param: collection text
-- param: ids text[]
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- Delete records by ids.
delete from vectors
where
    collection = :collection
    and id = any(:ids);

-- name: delete_matching!
-- param: collection text
-- param: path text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- Delete the records that match the filters.
delete from vectors
where
    collection = :collection
    and metadata @@ cast(:path as jsonpath);
