find_package(Threads REQUIRED)
find_library(UNBOUND unbound REQUIRED)
target_link_libraries(${name} ${scope} Threads::Threads ${UNBOUND})
