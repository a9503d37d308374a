"""Reviews in, sums out: what all that is said of a seller, and of a product of his, comes to.

What an order's review adds is taken away before it changes, and added again as it is then. So the
sums are those of the lists at any moment, however a review is revised, hidden, released or weighed.
"""

# A seller's own sums have an empty marketplace and SKU, which no product has. Of what does not
# count (a weight of nought) there is only the number; of nothing at all there is no row, as when it
# is built again. The carrier's stars are no part of logistics. The index of products has none of
# the sellers' own: a plan made while the table is new looked for each of them among all of them.
RATINGS_DDL = """
    CREATE TABLE ratings (
        marketplace_id text,
        seller_id text,
        sku text,
        stars bigint,
        counted bigint NOT NULL,
        not_counted bigint NOT NULL,
        with_text bigint NOT NULL,
        with_media bigint NOT NULL,
        weight_milli numeric NOT NULL,
        quality_milli numeric NOT NULL,
        service_milli numeric NOT NULL,
        logistics_milli numeric NOT NULL,
        logistics_weight_milli numeric NOT NULL,
        PRIMARY KEY (seller_id, marketplace_id, sku, stars)
    );
    CREATE INDEX ratings_of_product ON ratings (marketplace_id, sku) WHERE sku <> '';
"""
ADD = """
    MERGE INTO ratings USING (
        SELECT marketplace_id, seller_id, sku, stars,
               {sign} count(*) FILTER (WHERE weight_milli > 0) AS counted,
               {sign} count(*) FILTER (WHERE weight_milli = 0) AS not_counted,
               {sign} count(*) FILTER (WHERE has_text) AS with_text,
               {sign} count(*) FILTER (WHERE has_media) AS with_media,
               {sign} sum(weight_milli) AS weight_milli,
               {sign} sum(weight_milli * quality) AS quality_milli,
               {sign} sum(weight_milli * service) AS service_milli,
               {sign} sum(CASE WHEN delivery_counted THEN weight_milli * logistics ELSE 0 END)
                   AS logistics_milli,
               {sign} sum(CASE WHEN delivery_counted THEN weight_milli ELSE 0 END)
                   AS logistics_weight_milli
        FROM (SELECT '' AS marketplace_id, '' AS sku, review.*
              FROM public_reviews AS review WHERE order_id = ANY($1) AND listed
              UNION ALL
              SELECT product.marketplace_id, product.sku, review.*
              FROM product_reviews AS product JOIN public_reviews AS review USING (order_id)
              WHERE order_id = ANY($1)) AS listed
        GROUP BY marketplace_id, seller_id, sku, stars) AS change
    ON ratings.seller_id = change.seller_id AND ratings.marketplace_id = change.marketplace_id
       AND ratings.sku = change.sku AND ratings.stars = change.stars
    WHEN MATCHED AND ratings.counted + change.counted = 0
                 AND ratings.not_counted + change.not_counted = 0 THEN DELETE
    WHEN MATCHED THEN UPDATE SET
        counted = ratings.counted + change.counted,
        not_counted = ratings.not_counted + change.not_counted,
        with_text = ratings.with_text + change.with_text,
        with_media = ratings.with_media + change.with_media,
        weight_milli = ratings.weight_milli + change.weight_milli,
        quality_milli = ratings.quality_milli + change.quality_milli,
        service_milli = ratings.service_milli + change.service_milli,
        logistics_milli = ratings.logistics_milli + change.logistics_milli,
        logistics_weight_milli = ratings.logistics_weight_milli + change.logistics_weight_milli
    WHEN NOT MATCHED THEN INSERT VALUES (
        change.marketplace_id, change.seller_id, change.sku, change.stars, change.counted,
        change.not_counted, change.with_text, change.with_media, change.weight_milli,
        change.quality_milli, change.service_milli, change.logistics_milli,
        change.logistics_weight_milli)
"""
COUNT, UNCOUNT = ADD.format(sign="+"), ADD.format(sign="-")
"""What the reviews of these orders say now is added, or taken away."""
