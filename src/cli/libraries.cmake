find_package(CLI11 REQUIRED)
find_package(Boost 1.81 REQUIRED COMPONENTS json)
target_link_libraries(${name} PRIVATE CLI11::CLI11 PUBLIC Boost::json)
target_compile_definitions(${name} PRIVATE FACTEUR_VERSION="${PROJECT_VERSION}")
