find_package(tomlplusplus REQUIRED)
target_link_libraries(${name} PRIVATE tomlplusplus::tomlplusplus)
