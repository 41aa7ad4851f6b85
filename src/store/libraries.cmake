find_library(ROCKSDB rocksdb REQUIRED)
find_library(ZSTD zstd REQUIRED)
target_link_libraries(${name} ${scope} ${ROCKSDB} ${ZSTD})
