-- Vectors (pgvector). Order: create, write, search, count, delete.
-- These files are no part of the two trees that face each other, and no migration makes their tables: they need an
-- extension, which the state store must not, and they may live in another database than it.
-- They are loaded, and the tables are made, when a collection of the provider pgvector is opened.

-- name: create_vectors#
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- The extension, the tables, and the function that makes a collection's index.
select pg_advisory_xact_lock(hashtextextended('diglot.vectors', 0));

create extension if not exists vector;

create table if not exists vector_collections (
    collection text collate "C" not null,
    dimension bigint not null,
    metric text collate "C" not null,
    constraint pk_vector_collections primary key (collection),
    constraint ck_vector_collections_dimension check (dimension between 1 and 16000),
    constraint ck_vector_collections_metric check (metric in ('cosine', 'l2', 'ip'))
);

-- The vectors of all collections: so their type says no dimension, and the index of each does.
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

-- An index can't take its dimension from a parameter, so it is put together here, of a number and quoted names.
create or replace function create_vector_index(
    collection text,
    dimension bigint,
    metric text,
    m bigint,
    ef_construction bigint
)
returns boolean
language plpgsql
as $$
begin
    execute format(
        'create index if not exists %I on vectors using hnsw ((embedding::vector(%s)) %I)'
        ' with (m = %s, ef_construction = %s) where collection = %L',
        'ix_vectors_' || collection, dimension, 'vector_' || metric || '_ops', m, ef_construction, collection
    );
    return true;
end
$$;

-- name: lock_collections()$
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: bool
-- Alone until the end of the transaction, so that two who open a new collection make it once.
select pg_advisory_xact_lock(hashtextextended('diglot.vectors', 0)) is not null;

-- name: extension_version()$
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: text?
-- The version of pgvector.
select pg_extension.extversion
from pg_extension
where pg_extension.extname = 'vector';

-- name: add_collection(collection, dimension, metric)!
-- param: collection text
-- param: dimension int
-- param: metric text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- idempotent: it is there already
-- A new collection.
insert into vector_collections (collection, dimension, metric)
values (:collection, :dimension, :metric)
on conflict (collection) do nothing;

-- name: get_collection(collection)^
-- param: collection text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Collection
-- What a collection was made with.
select
    dimension,
    metric
from vector_collections
where collection = :collection;

-- name: has_index(collection)$
-- param: collection text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: bool
-- Whether a collection has its index; one that was made without gets it when it is opened with one.
select to_regclass(quote_ident('ix_vectors_' || :collection)) is not null;

-- name: create_index(collection, dimension, metric, m, ef_construction)$
-- param: collection text
-- param: dimension int
-- param: metric text
-- param: m int
-- param: ef_construction int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: bool
-- The HNSW index of a collection, where it is not there yet.
select create_vector_index(:collection, :dimension, :metric, :m, :ef_construction);

-- name: upsert_vector(collection, id, embedding, text, metadata)*!
-- param: collection text
-- param: id text
-- param: embedding float[]
-- param: text text
-- param: metadata json
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- idempotent: the same values again
-- Write records over those of the same ids.
insert into vectors (
    collection,
    id,
    embedding,
    text,
    metadata
)
values (
    :collection,
    :id,
    cast(cast(:embedding as float8[]) as vector),
    :text,
    :metadata
)
on conflict (collection, id) do update
set
    embedding = excluded.embedding,
    text = excluded.text,
    metadata = excluded.metadata;

-- name: tune_search(ef_search, indexed)$
-- param: ef_search text
-- param: indexed text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: text
-- For the search behind it in the same transaction. The plan is made for its very parameters, else the collection's index
-- would not fit; the index is read until there are rows enough, also where a filter lets few through. Without
-- index scans the search is exact.
select
    concat_ws(
        ' ',
        set_config('plan_cache_mode', 'force_custom_plan', true),
        set_config('hnsw.ef_search', :ef_search, true),
        set_config('hnsw.iterative_scan', 'strict_order', true),
        set_config('enable_indexscan', :indexed, true)
    );

-- name: search_cosine(collection, dimension, embedding, path, limit)
-- param: collection text
-- param: dimension int
-- param: embedding float[]
-- param: path text?
-- param: limit int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Match
-- plan: sort because an index of vectors knows its dimension, which only the plan for given parameters does
-- The nearest by the cosine.
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

-- name: search_l2(collection, dimension, embedding, path, limit)
-- param: collection text
-- param: dimension int
-- param: embedding float[]
-- param: path text?
-- param: limit int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Match
-- plan: sort because an index of vectors knows its dimension, which only the plan for given parameters does
-- The nearest by the distance.
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

-- name: search_ip(collection, dimension, embedding, path, limit)
-- param: collection text
-- param: dimension int
-- param: embedding float[]
-- param: path text?
-- param: limit int
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: Match
-- plan: sort because an index of vectors knows its dimension, which only the plan for given parameters does
-- Those with the largest inner product; the operator gives its negative.
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

-- name: count_vectors(collection)$
-- param: collection text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- returns: int
-- How many records a collection has.
select count(*)
from vectors
where collection = :collection;

-- name: delete_vectors(collection, ids)!
-- param: collection text
-- param: ids text[]
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- Delete by ids.
delete from vectors
where
    collection = :collection
    and id = any(:ids);

-- name: delete_matching(collection, path)!
-- param: collection text
-- param: path text
-- only: postgres because SQLite has no vector index: Qdrant, Redis or a file stand in for it
-- Delete what matches the filters.
delete from vectors
where
    collection = :collection
    and metadata @@ cast(:path as jsonpath);
