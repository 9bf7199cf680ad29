//! What all settings have in common: each may be given or not, as an option of the command
//! line and as a key of a plan, and what is not given can be filled from elsewhere.

macro_rules! settings {
    ($( $(#[$meta:meta])* $name:ident: $type:ty, )*) => {
        /// The settings of a run, as given.
        #[derive(
            clap::Args, Clone, Debug, Default, PartialEq, serde::Serialize, serde::Deserialize,
        )]
        #[serde(rename_all = "kebab-case", deny_unknown_fields)]
        pub struct Settings {
            $( $(#[$meta])* #[serde(skip_serializing_if = "Option::is_none")] pub $name: Option<$type>, )*
        }

        impl Settings {
            /// Fills what is not given from `other`.
            #[must_use]
            pub fn or(self, other: Self) -> Self {
                Self { $( $name: self.$name.or(other.$name), )* }
            }
        }
    };
}
