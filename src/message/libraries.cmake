# ICU: charsets and internationalised domain names.
find_package(ICU REQUIRED COMPONENTS uc i18n)
target_link_libraries(${name} ${scope} ICU::uc ICU::i18n)
